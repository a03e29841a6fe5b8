export { openRedis, type RedisClient, type RedisOptions, type RedisScript } from './open-redis.js';
