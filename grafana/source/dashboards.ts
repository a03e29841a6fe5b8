import type { DashboardSpecification } from './dashboard.js';
import { engine } from './engine.js';
import { fleet } from './fleet.js';
import { gpus } from './gpus.js';
import { kvcache } from './kvcache.js';
import { latency } from './latency.js';
import { overview } from './overview.js';
import { tenants } from './tenants.js';

/** All of ours, in the order in which one reads them. */
export const DASHBOARDS: readonly DashboardSpecification[] = [overview, latency, fleet, engine, kvcache, tenants, gpus];
