// As much of YAML as deploy/compose.yaml is written in: blocks by indentation, lists, anchors,
// aliases and merges. What it does not know is an error, so nothing is read wrongly in silence.

export function parseYaml(source) {
  const lines = source
    .split('\n')
    .map((text, index) => ({ text: text.replace(/(^|\s)#.*$/, '').trimEnd(), number: index + 1 }))
    .filter(({ text }) => text.trim() !== '')
    .map(({ text, number }) => ({ indent: text.search(/\S/), text: text.trim(), number }));
  const anchors = new Map();
  let at = 0;

  const fail = (line, why) => {
    throw new Error(`line ${line.number}: ${why}: ${line.text}`);
  };

  function block(indent) {
    return lines[at].text.startsWith('- ') ? list(indent) : map(indent);
  }

  function list(indent) {
    const items = [];
    while (at < lines.length && lines[at].indent === indent && lines[at].text.startsWith('- ')) {
      const line = lines[at];
      const inner = line.text.slice(2).trim();
      if (/^[\w-]+:(\s|$)/.test(inner)) {
        lines[at] = { ...line, indent: indent + 2, text: inner };
        items.push(map(indent + 2));
      } else {
        at += 1;
        items.push(scalar(inner, line));
      }
    }
    return items;
  }

  function map(indent) {
    const entries = {};
    const merged = {};
    while (at < lines.length && lines[at].indent === indent) {
      const line = lines[at];
      const match = line.text.match(/^([\w<.-]+):(?:\s+(.*))?$/);
      if (!match) fail(line, 'not understood');
      const [, key, rest = ''] = match;
      if (key in entries) fail(line, 'said twice');
      at += 1;
      const [, anchor, value] = rest.match(/^(?:&(\S+))?\s*(.*)$/);
      let result;
      if (value !== '') result = scalar(value, line);
      else if (at < lines.length && lines[at].indent > indent) result = block(lines[at].indent);
      else result = null;
      if (anchor) anchors.set(anchor, result);
      if (key === '<<') Object.assign(merged, result);
      else entries[key] = result;
    }
    if (at < lines.length && lines[at].indent > indent) fail(lines[at], 'indented too far');
    return { ...merged, ...entries };
  }

  function scalar(text, line) {
    if (text.startsWith('*')) {
      if (!anchors.has(text.slice(1))) fail(line, 'no such anchor');
      return anchors.get(text.slice(1));
    }
    if (text.startsWith('[')) {
      if (!text.endsWith(']')) fail(line, 'not understood');
      const items = text.slice(1, -1).match(/"[^"]*"|[^,]+/g) ?? [];
      return items.map((item) => item.trim()).filter(Boolean).map((item) => scalar(item, line));
    }
    if (/^[{|>!]/.test(text)) fail(line, 'not understood');
    if (/^".*"$/.test(text)) return JSON.parse(text);
    if (text === 'true') return true;
    if (text === 'false') return false;
    return text;
  }

  const result = map(0);
  if (at < lines.length) fail(lines[at], 'not understood');
  return result;
}
