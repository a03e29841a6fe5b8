/**
 * Which engine is measured first: they alternate from case to case and from round to round, so that neither always finds the
 * machine as the other left it.
 * @template T
 * @param {readonly [T, T]} engines
 * @param {number} round
 * @param {number} caseIndex
 * @returns {readonly [T, T]}
 */
export function orderOf([first, second], round, caseIndex) {
  return (round + caseIndex) % 2 === 0 ? [first, second] : [second, first];
}
