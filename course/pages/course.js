// Light or dark: the system's choice, until the reader makes one. Pictures go by the attribute that JupyterLab sets.
(() => {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const kept = () => { try { return localStorage.getItem("course-theme"); } catch { return null; } };
  const show = () => {
    const dark = (kept() ?? (system.matches ? "dark" : "light")) === "dark";
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    if (document.body) document.body.setAttribute("data-jp-theme-light", String(!dark));
  };
  show();
  system.addEventListener("change", show);
  document.addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme")?.addEventListener("click", () => {
      const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
      try { localStorage.setItem("course-theme", next); } catch { /* a file without storage: until the next page */ }
      if (kept() !== next) document.documentElement.dataset.theme = next;
      show();
    });
  });
})();
