import { Inject, Injectable } from '@nestjs/common';
import { TransientMap } from '#lib/collections';
import type { HydraConfig } from '#lib/config';
import { ApiError } from '#lib/openai';
import { GATEWAY_CONFIG } from '../gateway-config.js';
import type { RequestLife } from './request-life.js';

/** Bounds the requests in flight, and empties the gateway at shutdown. */
@Injectable()
export class AdmissionGate {
  private readonly lives = new TransientMap<number, RequestLife>();
  private entered = 0;
  private leaving = false;
  private draining = false;
  private idle: (() => void)[] = [];

  constructor(@Inject(GATEWAY_CONFIG) private readonly config: HydraConfig) {}

  get inFlight(): number {
    return this.lives.size;
  }

  /** The gateway is going to end: who chooses between several is to choose another one. */
  get isLeaving(): boolean {
    return this.leaving;
  }

  /** Nothing new is taken. */
  get isDraining(): boolean {
    return this.draining;
  }

  /**
   * @returns what it leaves with
   * @throws ApiError draining or overloaded
   */
  enter(life: RequestLife): number {
    if (this.draining) throw new ApiError('draining', 'The server is shutting down. Please try again.');
    if (this.lives.size >= this.config.gateway.concurrentRequests) {
      throw new ApiError('overloaded', 'Too many requests are in flight. Please try again later.');
    }
    this.lives.set(++this.entered, life);
    return this.entered;
  }

  /** @param entry  what `enter` gave */
  leave(entry: number): void {
    this.lives.take(entry);
    if (this.lives.size === 0) for (const resolve of this.idle.splice(0)) resolve();
  }

  /** Says that the gateway is leaving; requests are still taken. */
  announceLeave(): void {
    this.leaving = true;
  }

  /** Takes nothing new; what runs has `graceMs` to finish and is stopped then. Resolves when nothing is left. */
  async drain(graceMs: number): Promise<void> {
    this.leaving = true;
    this.draining = true;
    if (this.lives.size === 0) return;
    const timer = setTimeout(() => {
      for (const life of this.lives.values()) life.stop(new ApiError('draining', 'The server is shutting down.'));
    }, graceMs);
    await new Promise<void>((resolve) => this.idle.push(resolve));
    clearTimeout(timer);
  }
}
