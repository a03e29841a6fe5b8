#!/usr/bin/env node
/**
 * Lays out what the container image of an app holds: its compiled code and, of the packages, the files that it can reach. The Dockerfile
 * runs this; without a container engine it can be run as well, and the app started from the folder.
 *
 *   node scripts/assemble-image.mjs APP FOLDER     APP: gateway, scheduler, inference, kvcache; after `npm run build`
 */
import { cpSync, globSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { nodeFileTrace } from '@vercel/nft';

const { platform, arch } = process;
/** Found by paths made at run time, so that no analysis sees them. */
const NATIVE = {
  koffi: `node_modules/@koromix/koffi-${platform}-${arch}/**`,
  onnxruntime: `node_modules/onnxruntime-node/{package.json,bin/napi-v*/${platform}/${arch}/**}`,
  tokenizers: `node_modules/tokenizers/tokenizers.${platform}-${arch}*.node`,
};
/** `entries`: what runs beside the app's own file (the gateway has the command line, for the first key). */
const APPS = {
  gateway: {
    entries: ['dist/apps/cli/src/main.js'],
    files: [NATIVE.tokenizers, NATIVE.koffi, 'node_modules/swagger-ui-dist/*', 'dist/console/**'],
  },
  scheduler: { entries: [], files: [] },
  kvcache: { entries: [], files: [] },
  inference: {
    entries: ['dist/libs/engine-onnx/src/engine-thread-entry.js'],
    files: [NATIVE.tokenizers, NATIVE.koffi, NATIVE.onnxruntime],
  },
};

const [app, folder] = process.argv.slice(2);
if (folder === undefined || APPS[app] === undefined) {
  console.error(`usage: node scripts/assemble-image.mjs ${Object.keys(APPS).join('|')} FOLDER`);
  process.exit(2);
}
const { entries, files } = APPS[app];
const { fileList } = await nodeFileTrace([`dist/apps/${app}/src/main.js`, ...entries], {
  base: process.cwd(),
  // Native code of all platforms; `files` has what this one needs.
  ignore: (path) => /\.node$|\.dylib$|\.dll$|\.so(\.\d+)*$/.test(path),
});
const protocols = ['proto', 'node_modules/@grpc/reflection', 'node_modules/grpc-health-check'];
const others = globSync([...protocols.map((parent) => `${parent}/**/*.proto`), ...files]);

rmSync(folder, { recursive: true, force: true });
let bytes = 0;
for (const file of new Set([...fileList, 'package.json', ...others])) {
  const stat = statSync(file);
  if (!stat.isFile()) continue;
  mkdirSync(join(folder, dirname(file)), { recursive: true });
  cpSync(file, join(folder, file), { dereference: true });
  bytes += stat.size;
}
console.log(`${app}: ${Math.round(bytes / 1e6)} MB in ${folder}`);
