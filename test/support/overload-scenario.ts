/** Four mock workers of four slots, a second for each request: 16 requests per second, whatever the machine. */
export const OVERLOAD_ENV = {
  HYDRA_ENGINE: 'mock',
  HYDRA_WORKERS: '4',
  HYDRA_MOCK_SLOTS: '4',
  HYDRA_MOCK_TTFT_MS: '10',
  HYDRA_MOCK_ITL_MS: '50',
};
export const OVERLOAD_CAPACITY_PER_SECOND = 16;
export const OVERLOAD_MAX_TOKENS = 20;
export const OVERLOAD_SLO_TTFT_MS = 3_000;
/** What runs at the beginning of a window began before it. */
export const OVERLOAD_SETTLE_MS = 4_000;
