import { describeRotatedKeys } from './rotated-key.conformance.js';

describeRotatedKeys('memory', async () => ({}));
