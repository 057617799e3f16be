// A module federation container as JupyterLab's loader expects it (webpack.js.org/concepts/module-federation):
// `init` receives the modules that JupyterLab shares, `get` gives the plugins.
(() => {
  'use strict';

  const index = new URL('index.js', document.currentScript.src).href;
  let scope = {};

  // The one instance of a shared singleton: the version that is loaded already, else the newest.
  function entryOf(name) {
    const versions = scope[name] || {};
    const newestFirst = Object.keys(versions).sort((a, b) => b.localeCompare(a, undefined, { numeric: true }));
    return versions[newestFirst.find(version => versions[version].loaded) || newestFirst[0]];
  }

  async function shared(name) {
    const entry = entryOf(name);
    if (!entry) {
      throw new Error(`this JupyterLab shares no ${name}`);
    }
    entry.loaded = 1;
    return (await entry.get())();
  }

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.containerlab = {
    init: async given => {
      scope = given;
    },
    get: async () => {
      const { plugins } = await import(index);
      const module = { __esModule: true, default: await plugins(shared) };
      return () => module;
    }
  };
})();
