export {
  USAGE_DIMENSIONS,
  type UsageDimension,
  UsageLedger,
  type UsageQuestion,
  type UsageScope,
  type UsageSum,
} from './usage-ledger.js';
export { UsageWriter } from './usage-writer.js';
