import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../../support/free-port.js';
import { createAuthority } from './certificates.js';
import { HELM } from './helm.js';

/** Built by scripts/test-kubernetes.sh. */
const BINARY = process.env['HYDRA_TEST_CONTROL_PLANE'] ?? '';
/** kwok's stages: how fast its nodes and pods become what they are to be. */
const STAGES = process.env['HYDRA_TEST_KWOK_STAGES'] ?? '';
/** A bound for a stuck start, not a claim. */
const LONGEST_START_MS = 300_000;

/**
 * A real Kubernetes control plane on loopback (etcd, API server, controller manager, scheduler) with nodes and pods played by kwok: two
 * nodes with 8 GPUs each, tainted for them, and one without; and a volume for the first claim. No containers run.
 */
export class ControlPlane {
  readonly folder = mkdtempSync(join(tmpdir(), 'hydra-kubernetes-'));
  readonly kubeconfig = join(this.folder, 'kubeconfig');
  private readonly processes: ChildProcess[] = [];

  async start(): Promise<this> {
    const [api = 0, controller = 0, scheduler = 0, etcd = 0, peer = 0, kwok = 0] = await freePorts(6);
    const keys = createAuthority(join(this.folder, 'pki'));
    const token = randomBytes(16).toString('hex');
    const tokens = join(this.folder, 'tokens.csv');
    writeFileSync(tokens, `${token},admin,admin,"system:masters"\n`);
    writeFileSync(this.kubeconfig, kubeconfigOf(api, token, readFileSync(keys.authority)));

    const client = `http://127.0.0.1:${etcd}`;
    const peers = `http://127.0.0.1:${peer}`;
    this.run('etcd', {
      name: 'test',
      'data-dir': join(this.folder, 'etcd'),
      'unsafe-no-fsync': true,
      'log-level': 'warn',
      'listen-client-urls': client,
      'advertise-client-urls': client,
      'listen-peer-urls': peers,
      'initial-advertise-peer-urls': peers,
      'initial-cluster': `test=${peers}`,
    });
    this.run('kube-apiserver', {
      'etcd-servers': client,
      'bind-address': '127.0.0.1',
      'advertise-address': '127.0.0.1',
      'secure-port': api,
      'endpoint-reconciler-type': 'none',
      'service-cluster-ip-range': '10.96.0.0/16',
      'tls-cert-file': keys.server.certificate,
      'tls-private-key-file': keys.server.key,
      'client-ca-file': keys.authority,
      'token-auth-file': tokens,
      'authorization-mode': 'RBAC',
      'service-account-issuer': 'https://kubernetes.default.svc',
      'service-account-key-file': keys.serviceAccounts.certificate,
      'service-account-signing-key-file': keys.serviceAccounts.key,
    });
    await this.until('the API server', () => this.kubectl('get', '--raw', '/readyz'));
    const access = { kubeconfig: this.kubeconfig };
    const delegated = {
      ...access,
      'authentication-kubeconfig': this.kubeconfig,
      'authorization-kubeconfig': this.kubeconfig,
      'bind-address': '127.0.0.1',
      'leader-elect': false,
    };
    this.run('kube-controller-manager', {
      ...delegated,
      'secure-port': controller,
      'service-account-private-key-file': keys.serviceAccounts.key,
      'root-ca-file': keys.authority,
      'horizontal-pod-autoscaler-sync-period': '2s',
    });
    this.run('kube-scheduler', { ...delegated, 'secure-port': scheduler });
    await this.until('the controller manager', () => this.kubectl('get', 'serviceaccount', 'default'));
    this.run('kwok', {
      ...access,
      'manage-all-nodes': true,
      'server-address': `127.0.0.1:${kwok}`,
      cidr: '10.0.0.0/24',
      'node-ip': '127.0.0.1',
      'node-lease-duration-seconds': 40,
      config: STAGES,
    });
    this.apply([node('gpu-0', 8), node('gpu-1', 8), node('cpu-0', 0), volume('volume-0')]);
    await this.until('the nodes', () =>
      this.kubectl('wait', '--for=condition=Ready', 'nodes', '--all', '--timeout=5s'),
    );
    return this;
  }

  /** @throws with what kubectl said */
  kubectl(...args: string[]): string {
    return this.kubectlWith(undefined, ...args);
  }

  /** Server-side, whole objects. */
  apply(objects: readonly object[], ...args: string[]): string {
    const list = JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects });
    return this.kubectlWith(list, 'apply', '--server-side', '--filename', '-', ...args);
  }

  get<T>(...args: string[]): T {
    return JSON.parse(this.kubectl('get', '--output', 'json', ...args)) as T;
  }

  /** A folder with `kubectl` and `helm`, for scripts that call them by name. */
  tools(): string {
    const folder = join(this.folder, 'bin');
    if (existsSync(folder)) return folder;
    mkdirSync(folder);
    symlinkSync(HELM, join(folder, 'helm'));
    writeFileSync(join(folder, 'kubectl'), `#!/bin/sh\nexec ${BINARY} kubectl "$@"\n`, { mode: 0o755 });
    return folder;
  }

  /** A kubectl that goes on, like a watch; the caller ends it. */
  watch(...args: string[]): ChildProcess {
    return spawn(BINARY, ['kubectl', '--kubeconfig', this.kubeconfig, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
  }

  async stop(): Promise<void> {
    for (const process of this.processes.reverse()) {
      const ended = new Promise((resolve) => process.once('exit', resolve));
      if (process.exitCode !== null || !process.kill()) continue;
      await ended;
    }
  }

  private kubectlWith(input: string | undefined, ...args: string[]): string {
    return execFileSync(BINARY, ['kubectl', '--kubeconfig', this.kubeconfig, ...args], {
      encoding: 'utf8',
      input,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
      maxBuffer: 64 << 20,
    });
  }

  private run(program: string, flags: Readonly<Record<string, string | number | boolean>>): void {
    mkdirSync(join(this.folder, 'log'), { recursive: true });
    const log = openSync(join(this.folder, 'log', program), 'w');
    const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    this.processes.push(spawn(BINARY, [program, ...args], { stdio: ['ignore', log, log] }));
    closeSync(log);
  }

  private async until(what: string, succeeds: () => unknown): Promise<void> {
    const deadline = performance.now() + LONGEST_START_MS;
    for (;;) {
      try {
        succeeds();
        return;
      } catch (error) {
        const ended = this.processes.find(({ exitCode }) => exitCode !== null);
        if (ended !== undefined || performance.now() > deadline) {
          throw new Error(`${what} did not come up; logs are in ${this.folder}/log`, { cause: error });
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }
}

function node(name: string, gpus: number): object {
  const resources = { cpu: '64', memory: '512Gi', 'ephemeral-storage': '1Ti', pods: '110' };
  const capacity = gpus === 0 ? resources : { ...resources, 'nvidia.com/gpu': String(gpus) };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      annotations: { 'kwok.x-k8s.io/node': 'fake' },
      labels: { type: gpus === 0 ? 'cpu' : 'gpu', 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' },
    },
    spec: gpus === 0 ? {} : { taints: [{ key: 'nvidia.com/gpu', value: 'present', effect: 'NoSchedule' }] },
    status: { capacity, allocatable: capacity },
  };
}

/** Nobody makes volumes here as a cloud does: a claim without a class is bound to this one. */
function volume(name: string): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name },
    spec: {
      capacity: { storage: '100Gi' },
      accessModes: ['ReadWriteOnce'],
      persistentVolumeReclaimPolicy: 'Retain',
      storageClassName: '',
      hostPath: { path: `/${name}` },
    },
  };
}

function kubeconfigOf(port: number, token: string, authority: Buffer): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': 'test',
    clusters: [
      {
        name: 'test',
        cluster: { server: `https://127.0.0.1:${port}`, 'certificate-authority-data': authority.toString('base64') },
      },
    ],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 'test', context: { cluster: 'test', user: 'admin' } }],
  });
}
