// The plugins that JupyterLab activates. `shared` gives a module of JupyterLab's own by its name.

import { magicLanguages } from './highlight.js';

export async function plugins(shared) {
  return [await highlighting(shared)];
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
