// Few helpers to make elements. Text is always set as text: names of containers and images are other people's words.

export function element(tag, properties = {}, children = []) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 'role') {
      made.setAttribute(name, value);
    } else {
      made[name] = value;
    }
  }
  made.append(...children);
  return made;
}

// `key` names the button across redraws of its list.
export function button({ key, label, symbol, className = 'containerlab-action', onclick }) {
  const made = element('button', { type: 'button', className, title: label, ariaLabel: label, onclick });
  made.dataset.key = key;
  symbol?.element({ container: made, tag: 'span' });
  return made;
}

export function link({ key, label, words, target }) {
  const made = element('a', { href: target, target: '_blank', rel: 'noopener', textContent: words, title: label, ariaLabel: `${words}: ${label}` });
  made.dataset.key = key;
  return made;
}

// Draw a list anew, and leave the keyboard where it was.
export function keepFocus(list, draw) {
  const key = list.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  draw();
  if (key !== undefined) {
    const again = [...list.querySelectorAll('[data-key]')].find(made => made.dataset.key === key);
    (again ?? list.querySelector('[data-key]'))?.focus();
  }
}
