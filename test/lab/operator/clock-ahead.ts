/** Clock ahead: loaded into an agent, it moves that agent's clock by two days. The hosts of a lab share one clock. */
const aheadMs = 2 * 86_400_000;
const real = Date.now;

Date.now = () => real() + aheadMs;
