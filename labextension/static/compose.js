// YAML as people write it in a compose file, line by line, as a CodeMirror stream parser: keys, scalars, block scalars,
// flow collections, anchors, and Compose's ${VARIABLES}.

const KEY = /^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*'|[^\s#&*!|>'"%@`,[\]{}?-][^#:,[\]{}]*|-[^\s#:,[\]{}][^#:,[\]{}]*)(?=\s*:(?:\s|$))/;
const INTERPOLATION = /^\$(?:[A-Za-z_]\w*|\{[^}]*\}?)/;
const NUMBER = /^[-+]?(?:0x[\da-f]+|0o?[0-7]+|\d[\d_]*(?:\.\d*)?(?:e[-+]?\d+)?|\.\d+|\.inf|\.nan)(?=\s*(?:$|[,\]}]|\s#))/i;
const WORD = /^(?:true|false|yes|no|on|off|null|~)(?=\s*(?:$|[,\]}]|\s#))/i;

function startState() {
  return {
    quote: '', // the quoted scalar that is open
    depth: 0, // of flow collections
    key: 0, // where the line's key begins: a block scalar's lines lie further right
    block: null // columns; of the block scalar's key, while in it
  };
}

function token(stream, state) {
  if (stream.sol()) {
    if (stream.match(/^(?:---|\.\.\.)(?=\s|$)/)) {
      Object.assign(state, startState());
      return 'meta';
    }
    if (state.block !== null && stream.indentation() <= state.block) {
      state.block = null;
    }
    state.value = false;
  }
  if (state.block !== null || state.quote) {
    return state.quote ? quotedToken(stream, state) : blockToken(stream);
  }
  if (stream.eatSpace()) {
    return null;
  }
  if (stream.peek() === '#' && /(?:^|\s)$/.test(stream.string.slice(0, stream.pos))) {
    stream.skipToEnd();
    return 'comment';
  }
  return structureToken(stream, state) ?? scalarToken(stream, state);
}

function structureToken(stream, state) {
  if (stream.match(/^[-?](?=\s|$)/) || stream.match(/^:(?=\s|$)/) || (state.depth && stream.match(/^,/))) {
    state.value = stream.current() === ':';
    return 'punctuation';
  }
  if (!state.value && stream.match(/^<<(?=\s*:)/)) {
    return 'keyword';
  }
  const column = stream.column();
  if ((!state.value || state.depth) && stream.match(KEY)) {
    state.key = state.depth ? state.key : column;
    return 'propertyName';
  }
  if (stream.match(/^[[{]/)) {
    state.depth += 1;
    return 'bracket';
  }
  if (stream.match(/^[\]}]/)) {
    state.depth = Math.max(0, state.depth - 1);
    return 'bracket';
  }
  return undefined;
}

function scalarToken(stream, state) {
  if (!state.depth && stream.match(/^[|>][-+\d]*(?=\s*(?:#|$))/)) {
    state.block = state.key;
    return 'operator';
  }
  if (stream.match(/^[&*][^\s,[\]{}]+/)) {
    return 'labelName';
  }
  if (stream.match(/^![^\s,[\]{}]*/)) {
    return 'typeName';
  }
  if (stream.match(/^["']/)) {
    state.quote = stream.current();
    return 'string';
  }
  if (startsScalar(stream) && stream.match(NUMBER)) {
    return 'number';
  }
  if (startsScalar(stream) && stream.match(WORD)) {
    return 'bool';
  }
  return interpolated(stream) ?? plainToken(stream, state);
}

function startsScalar(stream) {
  return /[\s,[{]/.test(stream.string[stream.pos - 1] ?? ' ');
}

// `$$` is a dollar sign; a variable's value is put in before anything else is read.
function interpolated(stream) {
  if (stream.match('$$')) {
    return 'escape';
  }
  return stream.match(INTERPOLATION) ? 'variableName.special' : undefined;
}

function plainToken(stream, state) {
  const stops = state.depth ? /[\s$,[\]{}]/ : /[\s$]/;
  do {
    stream.next();
  } while (!stream.eol() && !stops.test(stream.peek()) && !(stream.peek() === ':' && /^:(?:\s|$)/.test(stream.string.slice(stream.pos))));
  return 'content';
}

function quotedToken(stream, state) {
  const found = interpolated(stream);
  if (found) {
    return found;
  }
  do {
    const character = stream.next();
    if (character === state.quote && !(character === "'" && stream.eat("'"))) {
      state.quote = '';
      return 'string';
    }
    if (character === '\\' && state.quote === '"') {
      stream.next();
    }
  } while (!stream.eol() && stream.peek() !== '$');
  return 'string';
}

function blockToken(stream) {
  const found = interpolated(stream);
  if (found) {
    return found;
  }
  stream.next();
  stream.eatWhile(/[^$]/);
  return 'string';
}

// After a key without a value its children come, one step further right.
function indent(state, after, context) {
  if (context.simulatedBreak === null) {
    return null;
  }
  const { text, from } = context.lineAt(context.pos, -1);
  return /:\s*(?:[|>][-+\d]*\s*)?(?:#.*)?$/.test(text) ? context.lineIndent(from) + context.unit : null;
}

export const compose = {
  name: 'compose',
  indentUnit: '  ',
  languageData: { commentTokens: { line: '#' } },
  startState,
  copyState: state => ({ ...state }),
  token,
  indent
};
