// What waits for a key of its own: the output below a question. Then reveal.js takes over.
for (const output of document.querySelectorAll(".asks .output_wrapper")) output.classList.add("fragment");
Reveal.initialize({
  width: 1280, height: 760, margin: 0.05, center: false, hash: true, slideNumber: "c/t",
  transition: "none", backgroundTransition: "none", plugins: [RevealNotes],
});
