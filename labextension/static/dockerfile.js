// Dockerfile, line by line (docs.docker.com/reference/dockerfile), as a CodeMirror stream parser.

const INSTRUCTIONS =
  /^(?:add|arg|cmd|copy|entrypoint|env|expose|from|healthcheck|label|maintainer|onbuild|run|shell|stopsignal|user|volume|workdir)$/;
const DIRECTIVE = /^#\s*(?:syntax|escape|check)\s*=/i;
const VARIABLE = /^\$(?:[A-Za-z_]\w*|\{[^}\s]*\}?|[@*#?$!0-9-])/;
const HEREDOC = /^<<(-?)(["']?)([A-Za-z_][\w.]*)\2/;
const NUMBER = /^\d+(?:\.\d+)?(?:[smh]|\/(?:tcp|udp))?(?=[\s,\]]|$)/;
const TAKES_HEREDOCS = new Set(['run', 'copy', 'add']);
const NAMES_VALUES = new Set(['env', 'arg', 'label']);

function startState() {
  return {
    escape: '\\',
    head: true, // only parser directives so far
    instruction: '', // of the line, or of the lines that it continues
    place: 'start', // start: an instruction comes next; flags: --name=value may; words: the rest
    continued: false,
    quote: '', // the string that is open
    heredocs: [], // [{ word, indented, expands }] in the order in which their bodies come
    body: false // in one of those
  };
}

function token(stream, state) {
  if (stream.sol()) {
    if (state.heredocs.length && !state.continued) {
      state.body = true;
    }
    if (state.body && endsHeredoc(stream, state)) {
      return 'labelName';
    }
    if (!state.body) {
      beginLine(state);
    }
  }
  return state.body ? bodyToken(stream, state) : lineToken(stream, state);
}

function beginLine(state) {
  if (!state.continued) {
    Object.assign(state, { instruction: '', place: 'start', quote: '' });
  }
  state.continued = false;
}

function endsHeredoc(stream, state) {
  const { word, indented } = state.heredocs[0];
  const line = indented ? stream.string.replace(/^\t+/, '') : stream.string;
  if (line !== word) {
    return false;
  }
  stream.skipToEnd();
  state.heredocs.shift();
  state.body = state.heredocs.length > 0;
  return true;
}

function bodyToken(stream, state) {
  const { expands } = state.heredocs[0];
  if (expands && stream.match(VARIABLE)) {
    return 'variableName.special';
  }
  stream.next();
  stream.eatWhile(expands ? /[^$]/ : /./);
  return 'string';
}

function lineToken(stream, state) {
  const first = stream.string.slice(0, stream.pos).trim() === '';
  if (stream.eatSpace()) {
    return null;
  }
  if (first && stream.peek() === '#' && !state.quote) {
    return commentToken(stream, state);
  }
  state.head = false;
  if (continues(stream, state)) {
    stream.skipToEnd();
    state.continued = true;
    return 'escape';
  }
  if (state.quote) {
    return stringToken(stream, state);
  }
  return state.place === 'start' ? instructionToken(stream, state) : wordToken(stream, state);
}

// Within an instruction a comment's line is left out, so that the instruction goes on after it.
function commentToken(stream, state) {
  const isDirective = state.head && DIRECTIVE.test(stream.string.slice(stream.pos));
  if (isDirective) {
    state.escape = /escape\s*=\s*(\S)/i.exec(stream.string)?.[1] === '`' ? '`' : state.escape;
  }
  state.head = isDirective;
  state.continued = state.instruction !== '';
  stream.skipToEnd();
  return isDirective ? 'meta' : 'comment';
}

function instructionToken(stream, state) {
  stream.match(/^[^\s\\`]+/) || stream.next();
  const word = stream.current().toLowerCase();
  state.instruction = word;
  state.place = word === 'onbuild' ? 'start' : 'flags';
  return INSTRUCTIONS.test(word) ? 'keyword' : 'invalid';
}

function wordToken(stream, state) {
  const starts = /\s/.test(stream.string[stream.pos - 1] ?? ' ');
  if (starts && state.place === 'flags') {
    if (stream.match(/^--[a-z][a-z-]*(?==|\s|$)/)) {
      return 'attributeName';
    }
    state.place = 'words';
    if (state.instruction === 'healthcheck' && stream.match(/^(?:cmd|none)(?=\s|$)/i)) {
      return 'keyword';
    }
    if (NAMES_VALUES.has(state.instruction) && stream.match(/^[\w.\-/]+/)) {
      return 'propertyName';
    }
  }
  if (starts && state.instruction === 'from' && stream.match(/^as(?=\s)/i)) {
    return 'keyword';
  }
  if (starts && NAMES_VALUES.has(state.instruction) && stream.match(/^[\w.\-/]+(?==)/)) {
    return 'propertyName';
  }
  const heredoc = starts && TAKES_HEREDOCS.has(state.instruction) && stream.match(HEREDOC);
  if (heredoc) {
    state.heredocs.push({ word: heredoc[3], indented: heredoc[1] === '-', expands: heredoc[2] === '' });
    return 'labelName';
  }
  return plainToken(stream, state);
}

function plainToken(stream, state) {
  if (stream.match(VARIABLE)) {
    return 'variableName.special';
  }
  if (stream.match(/^["']/)) {
    state.quote = stream.current();
    return 'string';
  }
  if (stream.match(NUMBER)) {
    return 'number';
  }
  if (stream.match(/^(?:&&|\|\||[|;<>&=])/)) {
    return 'operator';
  }
  if (stream.match(/^[[\]{}(),]/)) {
    return 'bracket';
  }
  if (stream.next() === state.escape) {
    stream.next();
    return 'escape';
  }
  stream.eatWhile(/[^\s"'$&|;<>=[\]{}(),\\`]/);
  return null;
}

// The rest of a string after its opening quote; one that is open goes on over lines that an escape continues.
function stringToken(stream, state) {
  const expands = state.quote === '"';
  if (expands && stream.match(VARIABLE)) {
    return 'variableName.special';
  }
  do {
    const character = stream.next();
    if (character === state.quote) {
      state.quote = '';
      return 'string';
    }
    if (character === state.escape && expands) {
      stream.next();
    }
  } while (!stream.eol() && !(expands && stream.peek() === '$') && !continues(stream, state));
  return 'string';
}

// Whether nothing but the escape character is left of the line, which the next one then continues.
function continues(stream, state) {
  return stream.peek() === state.escape && /^.\s*$/.test(stream.string.slice(stream.pos));
}

export const dockerfile = {
  name: 'dockerfile',
  indentUnit: '    ',
  languageData: { commentTokens: { line: '#' } },
  startState,
  copyState: state => ({ ...state, heredocs: [...state.heredocs] }),
  token,
  blankLine: state => {
    state.head = false;
  }
};
