import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { arch, platform } from 'node:process';
import koffi, { type LibraryHandle } from 'koffi';
import { enlargeNativeStacks } from './native-stacks.js';

/**
 * Version of the C API whose function table `ort-functions.ts` was written for: 30 belongs to ONNX Runtime 1.30. The
 * table is only ever appended to, and `GetApi(30)` of a newer library returns the same layout.
 * @see https://onnxruntime.ai/docs/api/c/struct_ort_api_base.html
 */
export const ORT_API_VERSION = 30;

/** Shared libraries inside the package's `bin/napi-v6`, by platform and processor. */
const LIBRARY_FILES: Readonly<Record<string, string>> = {
  'linux-x64': 'linux/x64/libonnxruntime.so.1',
  'linux-arm64': 'linux/arm64/libonnxruntime.so.1',
  'darwin-arm64': 'darwin/arm64/libonnxruntime.1.dylib',
  'win32-x64': 'win32/x64/onnxruntime.dll',
  'win32-arm64': 'win32/arm64/onnxruntime.dll',
};

/**
 * Libraries stay loaded until the process ends, which is why they are held here and not by who opened them: koffi unloads
 * a library whose handle is collected, and the functions of its table with it.
 */
const loadedLibraries = new Map<string, LibraryHandle>();

/** The ONNX Runtime library is missing, does not load, or is not the one this code was written for. */
export class OrtLibraryError extends Error {
  override readonly name = 'OrtLibraryError';
}

export interface OrtLibraryLocation {
  readonly path: string;
  /** What the library must say it is. */
  readonly version: string;
}

/** A loaded library and the addresses of its C API's functions, in the order of the C header. */
export interface OrtLibrary {
  readonly version: string;
  readonly functionTable: readonly (bigint | null)[];
}

/**
 * Finds the library that `onnxruntime-node` ships.
 * @throws OrtLibraryError when the package has none for this machine
 */
export function locateOrtLibrary(): OrtLibraryLocation {
  const packageFile = createRequire(import.meta.url).resolve('onnxruntime-node/package.json');
  const { version } = JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string };
  const file = LIBRARY_FILES[`${platform}-${arch}`];
  if (file === undefined) {
    throw new OrtLibraryError(
      `onnxruntime-node ${version} has no library for ${platform} on ${arch}; it has ${Object.keys(LIBRARY_FILES).join(', ')}.`,
    );
  }
  return { path: join(dirname(packageFile), 'bin', 'napi-v6', file), version };
}

/**
 * Loads the library and checks that it is the expected one.
 * @param tableLength  functions to read from the table
 * @throws OrtLibraryError when it is missing, does not load, or has another version
 */
export function openOrtLibrary(location: OrtLibraryLocation, tableLength: number): OrtLibrary {
  enlargeNativeStacks();
  const { getApi, version } = loadApiBase(location.path);
  if (version !== location.version) {
    throw new OrtLibraryError(
      `${location.path} is ONNX Runtime ${version}, but the package says ${location.version}; reinstall onnxruntime-node.`,
    );
  }
  const [major, minor] = version.split('.').map(Number);
  if (major !== 1 || minor === undefined || minor < ORT_API_VERSION) {
    throw new OrtLibraryError(`ONNX Runtime ${version} is too old; this engine needs 1.${ORT_API_VERSION} or later.`);
  }
  const api = getApi(ORT_API_VERSION);
  if (api === null) {
    throw new OrtLibraryError(`ONNX Runtime ${version} does not offer version ${ORT_API_VERSION} of its C API.`);
  }
  return { version, functionTable: koffi.decode(api, koffi.array('void*', tableLength)) as (bigint | null)[] };
}

function loadApiBase(path: string): { getApi: (apiVersion: number) => bigint | null; version: string } {
  if (!existsSync(path)) {
    throw new OrtLibraryError(`ONNX Runtime's library is missing: ${path}; reinstall onnxruntime-node.`);
  }
  try {
    const library = loadedLibraries.get(path) ?? koffi.load(path);
    loadedLibraries.set(path, library);
    const base = library.func('OrtGetApiBase', 'void*', [])();
    const [getApi, getVersion] = koffi.decode(base, koffi.array('void*', 2)) as [bigint, bigint];
    return {
      getApi: koffi.decode(getApi, koffi.proto('void*', ['uint32_t'])) as (apiVersion: number) => bigint | null,
      version: (koffi.decode(getVersion, koffi.proto('const char*', [])) as () => string)(),
    };
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new OrtLibraryError(`ONNX Runtime's library does not load: ${reason}`, { cause });
  }
}
