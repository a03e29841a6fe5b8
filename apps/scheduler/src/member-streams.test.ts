import { EventEmitter } from 'node:events';
import { type ServerDuplexStream, status } from '@grpc/grpc-js';
import { describe, expect, it, vi } from 'vitest';
import type { FleetDirective } from '#lib/contracts';
import type { Logger } from '#lib/observability';
import { type MemberStream, MemberStreams, RefusedEventError } from './member-streams.js';

/** What a member says: who it is, or something that fails. */
type Said = { readonly id: string; readonly epoch: number } | { readonly error: Error };

/** The server's end of a stream. */
class Call extends EventEmitter {
  readonly told: FleetDirective['directive'][] = [];
  readonly failures: { readonly code: status; readonly details: string }[] = [];
  hasEnded = false;

  constructor() {
    super();
    this.on('error', (failure) => this.failures.push(failure));
  }

  write({ directive }: FleetDirective): void {
    this.told.push(directive);
  }

  end(): void {
    this.hasEnded = true;
  }

  asServerStream(): ServerDuplexStream<Said, FleetDirective> {
    return this as unknown as ServerDuplexStream<Said, FleetDirective>;
  }
}

function membersIn(left: string[]) {
  const error = vi.fn();
  const streams: MemberStreams<Said> = new MemberStreams<Said>({
    member: 'worker',
    reportIntervalMs: 1_000,
    logger: { debug: vi.fn(), error } as Partial<Logger> as Logger,
    onEvent: (said, stream: MemberStream<Said>) => {
      if ('error' in said) throw said.error;
      streams.enter(stream, said.id, said.epoch);
    },
    onLeave: ({ memberId, memberEpoch }) => left.push(`${memberId} ${memberEpoch}`),
  });
  const join = (id: string, epoch: number) => {
    const call = new Call();
    streams.accept(call.asServerStream());
    call.emit('data', { id, epoch });
    return call;
  };
  return { streams, join, error };
}

describe('MemberStreams', () => {
  it('given a member that comes again, when the stream it left behind ends, then it stays; when the new one ends, then it is out', () => {
    const left: string[] = [];
    const { join, streams } = membersIn(left);
    const earlier = join('w', 1);
    const later = join('w', 2);
    expect(earlier.told).toEqual([{ $case: 'superseded', value: { byEpoch: 2 } }]);
    expect(earlier.hasEnded).toBe(true);
    earlier.emit('close');
    expect([left, [...streams.registered].length]).toEqual([[], 1]);
    later.emit('close');
    later.emit('end');
    expect([left, [...streams.registered].length]).toEqual([['w 2'], 0]);
  });

  it('given a member that was taken out, when another life of it is on the stream, then that one is not told', () => {
    const left: string[] = [];
    const { join, streams } = membersIn(left);
    const call = join('w', 2);
    streams.dismiss('w', 1, 'silent');
    expect(call.failures).toEqual([]);
    streams.dismiss('w', 2, 'silent');
    expect(call.failures).toEqual([{ code: status.DEADLINE_EXCEEDED, details: 'silent' }]);
    expect(left).toEqual([]); // it was taken out already
  });

  it('given an event that cannot be taken, then the stream fails with what is wrong with it, or with an error of ours, and its member is out', () => {
    const left: string[] = [];
    const { join, error } = membersIn(left);
    const refused = join('a', 1);
    refused.emit('data', { error: new RefusedEventError('not like this', status.RESOURCE_EXHAUSTED) });
    expect(refused.failures).toEqual([{ code: status.RESOURCE_EXHAUSTED, details: 'not like this' }]);
    expect(error).not.toHaveBeenCalled();
    const broken = join('b', 1);
    broken.emit('data', { error: new Error('a fault of ours') });
    expect(broken.failures).toEqual([{ code: status.INTERNAL, details: 'the event could not be taken' }]);
    expect(error).toHaveBeenCalledOnce();
    broken.emit('data', { id: 'b', epoch: 2 }); // nothing counts any more
    expect(left).toEqual(['a 1', 'b 1']);
  });

  it('given members and streams that are none yet, when the scheduler ends, then all are told, and nobody is taken out', () => {
    const left: string[] = [];
    const { join, streams } = membersIn(left);
    const call = join('w', 1);
    const silent = new Call();
    streams.accept(silent.asServerStream());
    streams.shutDown();
    for (const { failures } of [call, silent]) expect(failures.map(({ code }) => code)).toEqual([status.UNAVAILABLE]);
    expect(left).toEqual([]);
  });
});
