import { eventually } from '../../support/eventually.js';
import { closeConnections } from './answers.js';
import type { AppProcess } from './app-process.js';
import { Balancer } from './balancer.js';
import { FleetOfProcesses, type FleetOptions } from './fleet-of-processes.js';
import { type Restart, type RollReport, reportOf } from './roll-report.js';
import { type Lane, type Outcome, SteadyLoad } from './steady-load.js';

export interface RollOptions extends FleetOptions {
  readonly name: string;
  readonly lanes: readonly Lane[];
  /** Which apps; all by default. */
  readonly restarted?: (fleet: FleetOfProcesses) => readonly AppProcess[];
  /** How often each is restarted. */
  readonly rounds: number;
  /** Answers awaited before the first restart, and between two. */
  readonly answersBefore: number;
  readonly answersBetween: number;
}

/** Restarts apps of a fleet, one after another, while the load goes on. */
export async function roll(options: RollOptions): Promise<RollReport> {
  const fleet = await FleetOfProcesses.start(options);
  const balancer = await new Balancer(fleet.gateways).start();
  const restarts: Restart[] = [];
  let load: SteadyLoad | undefined;
  try {
    load = new SteadyLoad(options.lanes, () => balancer.next());
    const { outcomes } = load;
    await answers(outcomes, options.answersBefore);
    const startedMs = performance.now();
    for (let round = 1; round <= options.rounds; round++) {
      for (const app of options.restarted?.(fleet) ?? fleet.all) {
        const tookMs = await fleet.restart(app);
        await untilBalanced(balancer, fleet.gateways);
        restarts.push({ app: app.name, round, tookMs });
        await answers(outcomes, options.answersBetween);
      }
    }
    await load.stop();
    return reportOf(options.name, outcomes, startedMs, restarts);
  } finally {
    await load?.stop();
    balancer.stop();
    closeConnections();
    await fleet.stop();
  }
}

/** Some more answers than there are now. */
async function answers(outcomes: readonly Outcome[], more: number): Promise<void> {
  const wanted = outcomes.length + more;
  await eventually(() => outcomes.length >= wanted || undefined, 120_000);
}

/** The balancer has seen that every gateway is back: taking the other one out before would be an outage of its making. */
async function untilBalanced(balancer: Balancer, gateways: readonly AppProcess[]): Promise<void> {
  await eventually(() => gateways.every((gateway) => balancer.isReady(gateway)) || undefined);
}
