/**
 * Writes a GGUF file with the shapes of a well-known model and random weights, for engines that read no safetensors:
 *
 *   node bench/random-gguf.mjs 1b MODEL.gguf
 *   HYDRA_MODEL=MODEL.gguf npm run --silent bench:engine -- --only decode.1,decode.8,prefill.256
 */
import { writeRandomGguf } from './sizes/random-gguf.mjs';
import { SHAPES } from './sizes/shapes.mjs';

const [name, path] = process.argv.slice(2);
if (SHAPES[name] === undefined || path === undefined) {
  console.error(`node bench/random-gguf.mjs ${Object.keys(SHAPES).join('|')} MODEL.gguf`);
  process.exit(1);
}
await writeRandomGguf(path, SHAPES[name]);
