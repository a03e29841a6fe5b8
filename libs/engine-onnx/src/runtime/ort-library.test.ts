import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { locateOrtLibrary, OrtLibraryError, openOrtLibrary } from './ort-library.js';

describe('the ONNX Runtime library', () => {
  const folder = mkdtempSync(join(tmpdir(), 'ort-library-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  it('is found inside onnxruntime-node and is of its version', () => {
    const location = locateOrtLibrary();
    expect(openOrtLibrary(location, 4)).toMatchObject({ version: location.version });
  });

  it('given another version than the package says, when opened, then the error names both', () => {
    const { path, version } = locateOrtLibrary();
    const open = () => openOrtLibrary({ path, version: '1.29.0' }, 4);
    expect(open).toThrow(OrtLibraryError);
    expect(open).toThrow(`is ONNX Runtime ${version}, but the package says 1.29.0`);
  });

  it('given no file, when opened, then the error names the path', () => {
    const path = join(folder, 'libonnxruntime.so.1');
    expect(() => openOrtLibrary({ path, version: '1.30.0' }, 4)).toThrow(`library is missing: ${path}`);
  });

  it('given a file that is no library, when opened, then the error says that it does not load', () => {
    const path = join(folder, 'broken.so');
    writeFileSync(path, 'not a library');
    expect(() => openOrtLibrary({ path, version: '1.30.0' }, 4)).toThrow("ONNX Runtime's library does not load");
  });
});
