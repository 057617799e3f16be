// The panel on the left: containers, images and lessons, as the Jupyter server's feed tells them.

import { button, element, keepFocus, link } from './dom.js';
import { Feed } from './feed.js';

const SIZES = ['B', 'kB', 'MB', 'GB', 'TB'];

// Gives the class of the panel; `modules` are JupyterLab's own.
export function panelClass(modules) {
  const { Widget } = modules.widgets;

  return class ContainerPanel extends Widget {
    constructor(open) {
      super();
      this.id = 'containerlab-panel';
      this.title.icon = icon(modules.ui);
      this.addClass('containerlab-panel');
      this.node.setAttribute('role', 'region');
      this._open = open;
      this._state = element('div', { className: 'containerlab-state', role: 'status' });
      this._lists = {
        containers: section(this.node),
        images: section(this.node),
        lessons: section(this.node)
      };
      this.node.prepend(this._state);
      this._known = { proxy: false };
      this.name();
      this._feed = new Feed(modules, message => this.told(message));
    }

    // Nothing is asked for while the panel is out of sight.
    onAfterShow() {
      this._feed.open();
    }

    onAfterHide() {
      this._feed.close();
    }

    onBeforeDetach() {
      this._feed.close();
    }

    // `text` in the learner's language, each {name} replaced by its value.
    say(text, values = {}) {
      return (this._known.words?.[text] ?? text).replace(/{(\w+)}/g, (_, name) => values[name]);
    }

    // The words that stand there whatever is told.
    name() {
      this.title.caption = this.say('Containers, images and lessons');
      this.node.setAttribute('aria-label', this.title.caption);
      this.node.lang = this._known.language ?? 'en';
      const titles = { containers: this.say('Containers'), images: this.say('Images'), lessons: this.say('Lessons') };
      for (const [name, { heading, list }] of Object.entries(this._lists)) {
        heading.textContent = titles[name];
        list.ariaLabel = titles[name];
      }
    }

    told(message) {
      Object.assign(this._known, message);
      if ('words' in message) {
        this.name();
        message = this._known; // all is said anew
      }
      if ('engine' in message || 'lost' in message) {
        this._state.replaceChildren(...this.stateParts());
        this.node.classList.toggle('containerlab-off', !this._known.engine?.running || Boolean(this._known.lost));
      }
      const rows = { containers: this.containerRow, images: this.imageRow, lessons: this.lessonRow };
      for (const [name, row] of Object.entries(rows)) {
        // An empty list says why it is, and that changes with the engine.
        if (name in message || ('engine' in message && name in this._known)) {
          this.fill(name, this._known[name], row);
        }
      }
    }

    fill(name, entries, row) {
      const { list, count, empty } = this._lists[name];
      keepFocus(list, () => list.replaceChildren(...entries.map((entry, index) => row.call(this, entry, entries[index - 1]))));
      count.textContent = String(entries.length);
      empty.textContent = entries.length ? '' : this.emptyWords(name);
      empty.hidden = entries.length > 0;
    }

    emptyWords(name) {
      if (name === 'lessons') {
        return this.say('No lesson lies in this folder or in its notebooks folder.');
      }
      if (!this._known.engine?.running) {
        return this.say('Not known while the engine doesn’t run.');
      }
      return name === 'images' ? this.say('There are no images.') : this.say('There are no containers.');
    }

    stateParts() {
      const { engine, lost } = this._known;
      if (lost) {
        return [element('span', { textContent: this.say('The Jupyter server doesn’t answer. The panel goes on trying.') })];
      }
      if (!engine) {
        return [element('span', { textContent: this.say('Asking the engine …') })];
      }
      if (engine.running) {
        return [element('span', { className: 'containerlab-mark containerlab-running' }), element('span', { textContent: this.say('The engine runs') })];
      }
      const words = engine.can_start
        ? this.say('The engine doesn’t run. It starts by itself with your first command.')
        : engine.reason;
      const act = button({
        key: 'engine',
        label: engine.can_start ? this.say('Start the engine') : this.say('Try again'),
        className: 'jp-mod-styled jp-mod-accept',
        onclick: () => this.order('engine', 'POST')
      });
      act.textContent = engine.can_start ? this.say('Start') : this.say('Try again');
      return [element('span', { textContent: words, title: engine.reason }), act];
    }

    containerRow(container) {
      const running = container.state === 'running' || container.state === 'paused';
      const path = `containers/${container.id}`;
      const actions = [
        running
          ? this.action(container, 'stop', this.say('Stop {name}', container), modules.ui.stopIcon, () => this.order(`${path}/stop`, 'POST'))
          : this.action(container, 'start', this.say('Start {name}', container), modules.ui.runIcon, () => this.order(`${path}/start`, 'POST')),
        this.action(container, 'remove', this.say('Remove {name}', container), modules.ui.deleteIcon, () => this.remove(container, running))
      ];
      return element('li', { className: 'containerlab-row' }, [
        element('span', { className: `containerlab-mark containerlab-${container.state}` }),
        element('span', { className: 'containerlab-name', textContent: container.name, title: container.name }),
        element('span', { className: 'containerlab-soft', textContent: this.stateWords(container) }),
        element('span', { className: 'containerlab-actions' }, actions),
        element('span', { className: 'containerlab-second' }, [
          element('span', { textContent: container.image, title: container.image }),
          ...container.ports.map(port => this.portLink(container, port))
        ])
      ]);
    }

    // Docker's words for states are in the catalogue too.
    stateWords({ state, health, exit_code: code }) {
      if (state === 'exited' && code !== null) {
        return this.say('exited ({code})', { code });
      }
      return health ? `${this.say(state)}, ${this.say(health)}` : this.say(state);
    }

    action(container, verb, label, symbol, onclick) {
      return button({ key: `${verb} ${container.id}`, label, symbol, onclick });
    }

    // A published port is reached through the Jupyter server where it can; directly where the browser is on the host.
    portLink(container, { host_ip, port, inside, protocol }) {
      const words = `${port} → ${inside}`;
      const here = ['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
      const everywhere = host_ip === '0.0.0.0' || host_ip === '::' || host_ip === '';
      const direct = here || everywhere ? `http://${location.hostname}:${port}/` : '';
      const target = this._known.proxy ? modules.url.join(this._feed.settings.baseUrl, 'proxy', String(port), '/') : direct;
      if (protocol !== 'tcp' || !target) {
        return element('span', { textContent: protocol === 'tcp' ? words : `${words}/${protocol}` });
      }
      return link({ key: `port ${container.id} ${port}`, label: this.say('Port {inside} of {name}, published as {port}', { inside, name: container.name, port }), words, target });
    }

    imageRow(image) {
      const name = image.tags[0] ?? `<none> ${image.id.replace('sha256:', '').slice(0, 12)}`;
      return element('li', { className: 'containerlab-row' }, [
        element('span', { className: 'containerlab-name', textContent: name, title: image.tags.join('\n') || image.id }),
        element('span', { className: 'containerlab-soft', textContent: sizeWords(image.size) }),
        ...image.tags.slice(1).map(tag => element('span', { className: 'containerlab-second', textContent: tag, title: tag }))
      ]);
    }

    lessonRow(lesson, previous) {
      const tick = element('input', { type: 'checkbox', checked: lesson.done, ariaLabel: this.say('Lesson {number} is done', lesson) });
      tick.dataset.key = `tick ${lesson.path}`;
      tick.onchange = () => this.order(`lessons/${lesson.number}`, 'PUT', { done: tick.checked });
      const open = button({
        key: `open ${lesson.path}`,
        label: this.say('Open lesson {number}, {title}', lesson),
        className: 'containerlab-link',
        onclick: () => this._open(lesson.path)
      });
      open.textContent = `${Number(lesson.number)} · ${lesson.title}`;
      open.lang = lesson.language || 'en';
      const exercises = lesson.exercises ? this.say('{solved} of {all} exercises', { solved: lesson.solved, all: lesson.exercises }) : '';
      const row = element('li', { className: 'containerlab-row' }, [
        tick,
        element('span', { className: 'containerlab-lesson' }, [
          open,
          element('span', { className: 'containerlab-soft', textContent: exercises })
        ])
      ]);
      return lesson.language && lesson.language !== previous?.language ? beginsLanguage(row, lesson.language) : row;
    }

    async remove(container, running) {
      const { showDialog, Dialog } = modules.apputils;
      const { button: chosen } = await showDialog({
        title: this.say('Remove {name}?', container),
        body: running
          ? this.say('It runs: it will be killed. What it wrote to its own layer is lost.')
          : this.say('What it wrote to its own layer is lost.'),
        buttons: [Dialog.cancelButton({ label: this.say('Cancel') }), Dialog.warnButton({ label: this.say('Remove') })]
      });
      if (chosen.accept) {
        await this.order(`containers/${container.id}/remove`, 'POST');
      }
    }

    // What it changes comes back by the feed.
    async order(path, method, body) {
      this.node.setAttribute('aria-busy', 'true');
      try {
        await this._feed.order(path, method, body);
      } catch (error) {
        await modules.apputils.showErrorMessage(this.say('That did not work'), error.message);
        this.fill('lessons', this._known.lessons ?? [], this.lessonRow);
      } finally {
        this.node.removeAttribute('aria-busy');
      }
    }
  };
}

// A course in another language comes after the English one, under its own name.
function beginsLanguage(row, language) {
  const name = new Intl.DisplayNames([language], { type: 'language' }).of(language);
  row.prepend(element('h3', { textContent: name, lang: language }));
  return row;
}

function section(parent) {
  const count = element('span', { className: 'containerlab-count' });
  const list = element('ul');
  const empty = element('p', { className: 'containerlab-soft' });
  const heading = element('h2');
  parent.append(element('details', { open: true }, [element('summary', {}, [heading, count]), list, empty]));
  return { heading, list, count, empty };
}

// As docker images writes them: powers of 1000, three digits.
function sizeWords(bytes) {
  const power = Math.min(SIZES.length - 1, Math.floor(Math.log10(Math.max(bytes, 1)) / 3));
  return `${Number((bytes / 1000 ** power).toPrecision(3))} ${SIZES[power]}`;
}

function icon({ LabIcon }) {
  const box = (x, y) => `<rect x="${x}" y="${y}" width="5" height="5" rx="0.6"/>`;
  return new LabIcon({
    name: 'containerlab:panel',
    svgstr: `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 22 22"><g class="jp-icon3" fill="#616161">${box(8.5, 3) +
      box(2.5, 9.5)}${box(8.5, 9.5)}${box(14.5, 9.5)}<path d="M1 16h20l-2.2 3.2H3.2z"/></g></svg>`
  });
}
