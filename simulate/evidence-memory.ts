// Evidence in memory, read as the collector's database reads it.
import type { Evidence, EvidenceRow } from "../collector/src/evidence/evidence.js";
import type { EvidenceQuery, EvidenceSums, SeenCell } from "../collector/src/evidence/rows.js";
import { cellKey } from "../collector/src/evidence/subjects.js";

export interface EvidenceMemory {
  /** Takes what was added since the last call. */
  keep(evidence: Evidence): void;
  evidence(query: EvidenceQuery): EvidenceSums[];
  seenCells(model?: string): SeenCell[];
}

const RECENT_MS = 2 * 24 * 3_600_000;

export function createEvidenceMemory(): EvidenceMemory {
  /** By hour and cell: a later row of the same hour replaces the earlier one. */
  const rows = new Map<string, EvidenceRow>();
  return {
    keep(evidence) {
      const taken = evidence.take();
      for (const row of taken.rows) rows.set(`${row.hour} ${cellKey(row.cell)}`, row);
      taken.written();
    },
    evidence({ model, subjects, from, to, step, origin = from }) {
      const found = new Map<string, EvidenceSums>();
      for (const { cell, hour, sums } of rows.values()) {
        if ((model && cell.model !== model) || !subjects.includes(cell.subject) || hour < from || hour >= to) continue;
        const slot = Math.floor((hour - origin) / step);
        const key = `${slot} ${cellKey(cell)}`;
        const known = found.get(key);
        if (known) known.sums = known.sums.map((sum, i) => sum + (sums[i] ?? 0));
        else found.set(key, { cell, slot, sums: [...sums] });
      }
      return [...found.values()];
    },
    seenCells(model) {
      const mine = [...rows.values()].filter(({ cell }) => !model || cell.model === model);
      const newest = Math.max(...mine.map(({ hour }) => hour));
      const cells = new Map<string, SeenCell>();
      for (const { cell, hour, sums } of mine) {
        const known = cells.get(cellKey(cell)) ?? { cell, first: hour, last: hour, recent: 0 };
        const recent = known.recent + (hour > newest - RECENT_MS ? (sums[0] ?? 0) : 0);
        cells.set(cellKey(cell), {
          cell,
          first: Math.min(known.first, hour),
          last: Math.max(known.last, hour),
          recent,
        });
      }
      return [...cells.values()];
    },
  };
}
