// apalis's board takes itself to be at the root of its host. Here it is at /jobs: whatever it reads
// of an address is without that, and whatever it asks for or writes into one is with it.

const HOME = '/jobs';

/** An address of this page, as the board knows it. */
const inside = (path) => (path === HOME || path.startsWith(`${HOME}/`) ? path.slice(HOME.length) || '/' : path);

/** An address of the board, as it is here. */
const outside = (path) => (path.startsWith('/') && inside(path) === path ? HOME + path : path);

globalThis.pathOnBoard = inside;

for (const name of ['pushState', 'replaceState']) {
  const original = History.prototype[name];
  History.prototype[name] = function (state, unused, url) {
    return original.call(this, state, unused, typeof url === 'string' ? outside(url) : url);
  };
}

const { setAttribute } = Element.prototype;
Element.prototype.setAttribute = function (name, value) {
  // What is set as a whole attribute would need a policy that lets any style in.
  if (name === 'style' && this.style) this.style.cssText = value;
  else setAttribute.call(this, name, name === 'href' ? outside(value) : value);
};

globalThis.Request = class extends Request {
  constructor(input, options) {
    super(typeof input === 'string' ? outside(input) : input, options);
  }
};

// A session that has ended leads back to the form.
const { fetch } = globalThis;
globalThis.fetch = async (...request) => {
  const answer = await fetch(...request);
  if (answer.status === 401 || answer.status === 403) location.assign(HOME);
  return answer;
};

// The log of a process tells more than the board may, so there is no stream of it.
globalThis.EventSource = class extends EventTarget {
  readyState = 2;

  close() {}
};

const { default: start } = await import('/jobs/assets/app.js');
await start({ module_or_path: '/jobs/assets/app.wasm' });
