import koffi from 'koffi';
import { enlargeNativeStacks } from './native-stacks.js';

/** The C library's functions of memory. They hold the library: koffi unloads one whose handle is collected. */
export function bindC() {
  enlargeNativeStacks();
  const c = koffi.load(null);
  return {
    library: c,
    map: c.func('mmap', 'int64_t', ['int64_t', 'size_t', 'int', 'int', 'int', 'int64_t']),
    unmap: c.func('munmap', 'int', ['int64_t', 'size_t']),
    advise: c.func('madvise', 'int', ['int64_t', 'size_t', 'int']),
    read: c.func('memcpy', 'int64_t', ['void *', 'int64_t', 'size_t']),
    write: c.func('memcpy', 'int64_t', ['int64_t', 'const void *', 'size_t']),
    copy: c.func('memmove', 'void', ['int64_t', 'int64_t', 'size_t']),
    pageBytes: c.func('getpagesize', 'int', []),
  };
}
