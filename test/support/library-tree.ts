import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const LIBRARIES = 'bin/napi-v6';

/** The build in a folder of its own, whose ONNX Runtime can be taken away, damaged and put back. */
export class LibraryTree {
  readonly folder = mkdtempSync(join(tmpdir(), 'hydra-library-'));
  /** Of the worker. */
  readonly main = join(this.folder, 'dist/apps/inference/src/main.js');
  private readonly runtimeFolder = join(this.folder, 'node_modules/onnxruntime-node');
  private readonly original = join(ROOT, 'node_modules/onnxruntime-node');

  constructor() {
    cpSync(join(ROOT, 'dist'), join(this.folder, 'dist'), { recursive: true });
    cpSync(join(ROOT, 'proto'), join(this.folder, 'proto'), { recursive: true });
    cpSync(join(ROOT, 'package.json'), join(this.folder, 'package.json'));
    mkdirSync(join(this.folder, 'node_modules'));
    for (const name of readdirSync(join(ROOT, 'node_modules'))) {
      if (name === 'onnxruntime-node' || name.startsWith('.')) continue;
      symlinkSync(join(ROOT, 'node_modules', name), join(this.folder, 'node_modules', name));
    }
    mkdirSync(join(this.runtimeFolder, 'bin'), { recursive: true });
    this.setVersion(this.version);
    this.putBack();
  }

  get version(): string {
    return (createRequire(import.meta.url)(join(this.original, 'package.json')) as { version: string }).version;
  }

  /** All but what `make gpu-libraries` adds. */
  takeAwayCuda(): void {
    this.takeAway();
    const isOther = (path: string) => !/onnxruntime_providers/.test(path);
    cpSync(join(this.original, LIBRARIES), join(this.runtimeFolder, LIBRARIES), { recursive: true, filter: isOther });
  }

  /** What the package says that it is. */
  setVersion(version: string): void {
    const own = JSON.parse(readFileSync(join(this.original, 'package.json'), 'utf8')) as Record<string, unknown>;
    writeFileSync(join(this.runtimeFolder, 'package.json'), JSON.stringify({ ...own, version }));
  }

  takeAway(): void {
    rmSync(join(this.runtimeFolder, LIBRARIES), { recursive: true });
  }

  putBack(): void {
    symlinkSync(join(this.original, LIBRARIES), join(this.runtimeFolder, LIBRARIES));
  }

  /** Files of the right names that are no libraries. */
  damage(): void {
    this.takeAway();
    const files = readdirSync(join(this.original, LIBRARIES), { recursive: true, withFileTypes: true });
    for (const file of files) {
      if (!file.isFile()) continue;
      const folder = join(this.runtimeFolder, LIBRARIES, file.parentPath.slice(join(this.original, LIBRARIES).length));
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, file.name), 'no library');
    }
  }

  remove(): void {
    rmSync(this.folder, { recursive: true });
  }
}
