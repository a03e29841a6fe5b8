import { chmodSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** In the form of `nvidia-smi --query-gpu=index,name,memory.total,memory.used,utilization.gpu,power.draw --format=csv,noheader,nounits`. */
const TWO_GPUS = ['0, NVIDIA H100 80GB HBM3, 81559, 40960, 87, 512.34', '1, Tesla T4, 15360, 3, 0, [N/A]'];

/** A `PATH` on which the driver's tool answers as on a host with the GPUs of `lines`. */
export function pathWithGpus(lines: readonly string[] = TWO_GPUS): string {
  const folder = mkdtempSync(join(tmpdir(), 'hydra-gpus-'));
  const tool = join(folder, 'nvidia-smi');
  const answer = lines.map((line) => `echo '${line}'`).join('\n');
  const asked =
    '--query-gpu=index,name,memory.total,memory.used,utilization.gpu,power.draw --format=csv,noheader,nounits';
  writeFileSync(tool, `#!/bin/sh\n[ "$*" = '${asked}' ] || { echo "Invalid: $*" >&2; exit 2; }\n${answer}\n`);
  chmodSync(tool, 0o755);
  return `${folder}${delimiter}${process.env['PATH'] ?? ''}`;
}
