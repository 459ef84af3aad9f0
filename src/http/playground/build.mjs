// Bundles the playground into dist/, with the licences of all that is in it.

import { build } from 'esbuild';
import { mkdir, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.dirname(fileURLToPath(import.meta.url));
const dist = path.join(root, 'dist');

/** Leaves out the fonts, which are inlined in GraphiQL's style sheet and half of it. */
const withoutFonts = {
  name: 'without-fonts',
  setup({ onLoad }) {
    onLoad({ filter: /graphiql\.css$/ }, async ({ path: file }) => ({
      contents: (await readFile(file, 'utf8')).replace(/@font-face\s*\{[^}]*\}/g, ''),
      loader: 'css',
    }));
  },
};

/** The folders of the packages that made it into the bundle. */
function packagesOf(metafile) {
  const folders = new Set();
  for (const input of Object.keys(metafile.inputs)) {
    const [, folder] = input.match(/^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//) ?? [];
    if (folder) folders.add(folder);
  }
  return [...folders].sort();
}

async function licences(folders) {
  const notes = [];
  for (const folder of folders) {
    const { name, version, license, author } = JSON.parse(
      await readFile(path.join(root, folder, 'package.json'), 'utf8'),
    );
    const file = (await readdir(path.join(root, folder))).find((entry) => /^licen[cs]e/i.test(entry));
    const by = typeof author === 'string' ? author : author?.name;
    const text = file
      ? await readFile(path.join(root, folder, file), 'utf8')
      : `The package has no licence file; it says "${license}"${by ? `, by ${by}` : ''}.`;
    notes.push(`${name} ${version} (${license})\n\n${text.replaceAll('\r\n', '\n').trim()}\n`);
  }
  const rule = `\n${'-'.repeat(72)}\n\n`;
  return `playground.js and playground.css contain the packages below.\n${rule}${notes.join(rule)}`;
}

await rm(dist, { recursive: true, force: true });
await mkdir(dist, { recursive: true });
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: { playground: 'main.jsx' },
  outdir: dist,
  bundle: true,
  minify: true,
  metafile: true,
  format: 'iife',
  target: ['chrome111', 'firefox113', 'safari16.4'],
  jsx: 'automatic',
  // The second makes graphql see the first, which it otherwise looks for at run time.
  define: { 'process.env.NODE_ENV': '"production"', 'globalThis.process': 'true' },
  alias: { 'react-style-singleton': './style_singleton.js' },
  legalComments: 'none',
  charset: 'utf8',
  logLevel: 'warning',
  plugins: [withoutFonts],
});
await writeFile(path.join(dist, 'LICENSES.txt'), await licences(packagesOf(metafile)));
