// The plugins that JupyterLab activates. `shared` gives a module of JupyterLab's own by its name.

import { magicLanguages } from './highlight.js';
import { panelClass } from './panel.js';

export async function plugins(shared) {
  return Promise.all([highlighting(shared), panel(shared)]);
}

async function highlighting(shared) {
  const [codemirror, language, state] = await Promise.all(
    ['@jupyterlab/codemirror', '@codemirror/language', '@codemirror/state'].map(shared)
  );
  return {
    id: 'containerlab:highlighting',
    description: 'Dockerfile and YAML colours in %%dockerfile and %%compose cells.',
    autoStart: true,
    requires: [codemirror.IEditorExtensionRegistry],
    activate: (app, registry) => {
      const extensionOf = magicLanguages(language, state);
      registry.addExtension({
        name: 'containerlab-magics',
        factory: ({ model }) => {
          const extension = model.type === 'code' ? extensionOf(model.sharedModel.getSource()) : [];
          return { instance: () => extension, reconfigure: () => null };
        }
      });
    }
  };
}

async function panel(shared) {
  const [application, apputils, coreutils, services, ui, widgets] = await Promise.all(
    ['application', 'apputils', 'coreutils', 'services', 'ui-components']
      .map(name => `@jupyterlab/${name}`)
      .concat('@lumino/widgets')
      .map(shared)
  );
  return {
    id: 'containerlab:panel',
    description: 'A panel of containers, images and lessons.',
    autoStart: true,
    optional: [application.ILayoutRestorer],
    activate: (app, restorer) => {
      const style = document.createElement('link');
      Object.assign(style, { rel: 'stylesheet', href: new URL('panel.css', import.meta.url).href });
      document.head.append(style);
      const Panel = panelClass({ apputils, services, ui, widgets, url: coreutils.URLExt });
      const made = new Panel(path => app.commands.execute('docmanager:open', { path, factory: 'Notebook' }));
      app.shell.add(made, 'left', { rank: 350, type: 'Containers' });
      restorer?.add(made, made.id);
    }
  };
}
