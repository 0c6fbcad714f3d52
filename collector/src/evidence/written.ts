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
import type { SenderFile } from "./sender-rows.js";

export interface EvidenceReads {
  /** What senders reported about a model's versions. */
  evidence(query: EvidenceQuery): Promise<EvidenceSums[]>;
  /** Which versions senders reported about, of one model or of all. */
  seenCells(model?: string): Promise<SeenCell[]>;
}

/** Writes what waits: the rows of an hour are written again each time. The caller owns the connection's turn. */
export async function flushEvidence(connection: DuckDBConnection, evidence: Evidence, file: SenderFile): Promise<void> {
  const taken = evidence.take();
  const { rows, senders } = taken;
  if (rows.length === 0) return;
  // Together: sums that hold what a sender reported, and the limit that counts it, must not be apart after a kill.
  await transaction(connection, async () => {
    await writeEvidence(connection, evidence.part, rows);
    if (senders) await file.write(connection, senders);
  });
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
