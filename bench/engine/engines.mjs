import { EngineProcess } from './engine-process.mjs';

const HYDRA = new URL('./hydra-process.mjs', import.meta.url);
const PEER = new URL('../node-llama-cpp/peer-process.mjs', import.meta.url);

export const startHydra = (args = []) => EngineProcess.start(HYDRA, args);
export const startPeer = ({ ggufPath, threads }) => EngineProcess.start(PEER, [ggufPath, String(threads)]);
