// Evidence as the store has it: written before it is read, since it is not written with each batch.
import type { DuckDBConnection } from "@duckdb/node-api";
import { transaction } from "../transaction.js";
import type { Evidence } from "./evidence.js";
import {
  type EvidenceQuery,
  type EvidenceSums,
  readCells,
  readEvidence,
  type SeenCell,
  writeEvidence,
} from "./rows.js";

export interface EvidenceReads {
  /** What senders reported about a model's versions. */
  evidence(query: EvidenceQuery): Promise<EvidenceSums[]>;
  /** Which versions senders reported about, of one model or of all. */
  seenCells(model?: string): Promise<SeenCell[]>;
}

/** Writes what waits: the rows of an hour are written again each time. The caller owns the connection's turn. */
export async function flushEvidence(connection: DuckDBConnection, evidence: Evidence): Promise<void> {
  const taken = evidence.take();
  if (taken.rows.length === 0) return;
  await transaction(connection, () => writeEvidence(connection, evidence.part, taken.rows));
  taken.written();
}

export function evidenceReads(reader: DuckDBConnection, flush: () => Promise<void>): EvidenceReads {
  return {
    async evidence(query) {
      await flush();
      return readEvidence(reader, query);
    },
    async seenCells(model) {
      await flush();
      return readCells(reader, model);
    },
  };
}
