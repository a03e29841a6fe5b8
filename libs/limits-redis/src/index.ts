export { RedisLimitBook } from './redis-limit-book.js';
export { RedisRequestWindows } from './redis-request-windows.js';
export { connectRedis, type RedisClient } from './redis-scripts.js';
