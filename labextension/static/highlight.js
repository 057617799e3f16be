// The language of a cell by its first line: another one for %%dockerfile and %%compose, the notebook's for the rest.

import { compose } from './compose.js';
import { dockerfile } from './dockerfile.js';

const PARSERS = { dockerfile, compose };
const MAGIC = /^\s*%%(dockerfile|compose)(?=\s|$)/;
const MAGIC_WITHIN = 200; // characters: the blank lines that IPython lets precede a magic are few

// Gives a function from a cell's text to the CodeMirror extension that follows the text from there on.
export function magicLanguages({ StreamLanguage, indentUnit }, { Compartment, EditorState, Prec }) {
  const none = [];
  const extensions = {};
  for (const [name, parser] of Object.entries(PARSERS)) {
    extensions[name] = [
      StreamLanguage.define(withMagic(parser)),
      indentUnit.of(parser.indentUnit)
    ];
  }
  const extensionFor = text => extensions[MAGIC.exec(text)?.[1]] ?? none;

  return text => {
    const slot = new Compartment();
    const follow = EditorState.transactionExtender.of(transaction => {
      if (!transaction.docChanged) {
        return null;
      }
      const wanted = extensionFor(transaction.newDoc.sliceString(0, MAGIC_WITHIN));
      return wanted === slot.get(transaction.startState) ? null : { effects: slot.reconfigure(wanted) };
    });
    // Before JupyterLab's own: the first language that is configured is the one in use.
    return [Prec.highest(slot.of(extensionFor(text))), follow];
  };
}

// The same stream parser for a text that begins with a magic's line, which is coloured as Python colours it.
function withMagic(parser) {
  return {
    ...parser,
    startState: unit => ({ magic: true, body: parser.startState(unit) }),
    copyState: ({ magic, body }) => ({ magic, body: parser.copyState(body) }),
    token(stream, state) {
      if (!state.magic) {
        return parser.token(stream, state.body);
      }
      if (stream.eatSpace()) {
        return null;
      }
      const token = magicToken(stream);
      state.magic = !stream.eol();
      return token;
    },
    blankLine(state, unit) {
      if (!state.magic) {
        parser.blankLine?.(state.body, unit);
      }
    },
    indent: (state, after, context) => parser.indent?.(state.body, after, context) ?? null
  };
}

function magicToken(stream) {
  if (stream.match(/^"(?:[^"\\]|\\.)*"?|^'(?:[^'\\]|\\.)*'?/)) {
    return 'string';
  }
  if (stream.match(/^[\p{L}_][\p{L}\p{N}_]*/u)) {
    return 'variableName';
  }
  if (stream.match(/^\d+(?:\.\d+)?/)) {
    return 'number';
  }
  return stream.match(/^[-%=*/+<>&|^~@!]+/) ? 'operator' : void stream.next() || null;
}
