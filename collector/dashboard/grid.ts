// Puts the points of several series onto one row of times, as a plot needs them; pure.

export interface Grid {
  /** Ms: the starts of steps. */
  times: number[];
  /** The position of a time on the grid; -1 outside of it. */
  at(time: number): number;
}

interface Timed {
  time: number;
}

export function gridOf(report: { from: number; to: number; step: number }, lists: readonly (readonly Timed[])[]): Grid {
  const { from, to, step } = report;
  // The collector decides where its steps begin; every point lies on the same edges.
  const some = lists.find((list) => list.length > 0)?.[0]?.time ?? from;
  const first = some - Math.floor((some - from) / step) * step;
  const times: number[] = [];
  for (let time = first; time < to; time += step) times.push(time);
  return {
    times,
    at: (time) => {
      const index = Math.round((time - first) / step);
      return index < times.length ? index : -1;
    },
  };
}

/** One value a step; where nothing was measured there is `missing`: null leaves a gap, 0 is a count. */
export function spread<P extends Timed, M extends number | null>(
  grid: Grid,
  points: readonly P[],
  value: (point: P) => number | null,
  missing: M,
): (number | null)[] {
  const values: (number | null)[] = grid.times.map(() => missing);
  for (const point of points) {
    const index = grid.at(point.time);
    if (index >= 0) values[index] = value(point);
  }
  return values;
}
