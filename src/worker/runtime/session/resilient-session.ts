// A model that keeps running on this device: reopened when its device dies, on another backend when that one fails.
import { type InsituError, isInsituError } from "../../../shared/errors.js";
import type { BackendChange, Residence } from "../../../shared/protocol.js";
import type { BackendMeasurement, BackendReport } from "../../../shared/types/model.js";
import type { Backend, TensorData } from "../../../shared/types/tensor.js";
import { firstInvalid } from "../outputs.js";
import { isSame, refusals, startCandidates } from "../tuning/candidates.js";
import { type Choice, environmentOf, recall, type TuningCache } from "../tuning/tuning-cache.js";
import type { RunResult, Session, Target } from "./engine.js";
import { type OpenContext, type OpenOptions, openFirst, reasonOf } from "./open-session.js";

export interface ResilientSessionDeps extends OpenContext {
  backends: Backend[];
  notes: TuningCache;
  /** Most threads that this worker may use. */
  maxThreads: number;
}

export interface ResilientRun extends RunResult {
  backend: Backend;
}

/** `run`, `adopt` and `replaceInvalid` want the engine for themselves. */
export interface ResilientSession {
  readonly parts: ResilientSessionDeps;
  /** What is known of the backends that have not been refused. */
  usable(): BackendReport[];
  /** True when the target was measured at an earlier visit, in the same environment. */
  readonly recalled: boolean;
  readonly environment: string;
  target(): Target;
  residence(): Residence;
  /** Runs the model; where its device was lost meanwhile it is opened again, and the run repeated once. */
  run(feeds: Record<string, TensorData>): Promise<ResilientRun>;
  /** Runs the part of it that its embedding needs; otherwise as `run`. */
  embed(feeds: Record<string, TensorData>): Promise<ResilientRun>;
  /** The outputs held NaN or infinity for these finite feeds: moves to a backend on which they do not, if there is one. */
  replaceInvalid(feeds: Record<string, TensorData>, reason: string): Promise<void>;
  /** What was measured since, and the session to go on with. */
  adopt(session: Session, measured: BackendMeasurement[]): void;
  /** The backend was tried and is not used. */
  refuse(backend: Backend, why: unknown): void;
  session(): Session;
  onChange: ((moved?: BackendChange) => void) | undefined;
  dispose(): void;
}

// A GPU process that crashed twice gives no adapter again.
const LOSSES_TO_LEAVE = 2;

export async function createResilientSession(
  parts: ResilientSessionDeps,
  options: OpenOptions,
): Promise<ResilientSession> {
  const { engine, backends, notes, sentinel, maxThreads } = parts;
  const probed = await Promise.all(backends.map((backend) => engine.probe(backend)));
  const reports = probed.map((report) => ({
    ...report,
    threads: report.threads && Math.min(report.threads, maxThreads),
  }));
  const crashed = await sentinel.refused();
  // Once a crash is forgotten, all is measured anew.
  const environment = environmentOf(
    reports.filter(({ backend }) => !crashed.some((crash) => crash.backend === backend)),
  );
  const choice = await recall(notes, environment);
  const { order, refused } = startCandidates(reports);
  const usable = order.filter(({ backend }) => !crashed.some((crash) => crash.backend === backend));
  // A page that crashed on all of them may still be lucky with the last.
  const start = usable.length > 0 ? usable : order.slice(-1);
  refused.push(...crashed.filter(({ backend }) => start.every((target) => target.backend !== backend)));
  const known = choice && start.some(({ backend }) => backend === choice.target.backend) ? choice.target : undefined;
  const first = known ? [known, ...start.filter((target) => !isSame(target, known))] : start;
  let session = await openFirst(parts, first, refused, { ...options, known });
  const recalled = session.target === known;
  let measured: BackendMeasurement[] = recalled ? (choice as Choice).measured : [];
  const losses = new Map<Backend, number>();
  let disposed = false;
  /** Set while no backend could be opened again; the next run tries once more. */
  let broken: InsituError | undefined;

  /** Those that may still be tried, the present one first. */
  const rungs = (): Target[] => {
    const left = start.filter(({ backend }) => !refused.some((refusal) => refusal.backend === backend));
    return left.some(({ backend }) => backend === session.target.backend)
      ? [session.target, ...left.filter(({ backend }) => backend !== session.target.backend)]
      : left;
  };

  const move = (next: Session, moved?: BackendChange) => {
    session = next;
    if (disposed) next.dispose();
    resident.onChange?.(moved);
  };

  const reopen = async (lost: InsituError) => {
    const { backend } = session.target;
    const count = (losses.get(backend) ?? 0) + 1;
    losses.set(backend, count);
    session.dispose();
    if (count >= LOSSES_TO_LEAVE)
      refused.push({ backend, reason: `its device was lost ${count} times: ${lost.message}` });
    await openAgain(lost);
  };

  const openAgain = async (why: InsituError) => {
    broken = why;
    // A wasm module that trapped or had no more memory is of no more use; a GPU device is replaced when it starts.
    engine.stop(session.target);
    const moved = { from: session.target.backend, code: why.code };
    move(await openFirst(parts, rungs(), refused), moved);
    broken = undefined;
  };

  const recovering = async (run: (session: Session) => Promise<RunResult>): Promise<ResilientRun> => {
    try {
      if (broken) throw broken;
      return { ...(await run(session)), backend: session.target.backend };
    } catch (error) {
      if (disposed || !isInsituError(error)) throw error;
      if (error.code === "out_of_memory" && session.target.backend === "wasm") {
        session.dispose();
        await openAgain(error);
      }
      if (error.code !== "device_lost") throw error;
      await reopen(error);
      return { ...(await run(session)), backend: session.target.backend };
    }
  };

  const resident: ResilientSession = {
    parts,
    usable: () => reports.filter(({ backend }) => !refused.some((refusal) => refusal.backend === backend)),
    recalled,
    environment,
    onChange: undefined,
    session: () => session,
    target: () => session.target,
    residence() {
      const { backend, threads } = session.target;
      const mine = measured.find((one) => isSame(one, session.target));
      const told = mine
        ? refusals(backends, mine, measured, refused)
        : refused.filter((one) => one.backend !== backend);
      return { backend, ...(threads !== undefined && { threads }), refused: told, measured };
    },
    run: (feeds) => recovering((session) => session.run(feeds)),
    embed: (feeds) => recovering((session) => session.embed(feeds)),
    async replaceInvalid(feeds, reason) {
      const { backend } = session.target;
      const others = rungs().filter((target) => target.backend !== backend);
      for (const target of others) {
        const next = await openFirst(parts, [target], []).catch(() => undefined);
        if (!next) continue;
        const { outputs } = await next.run(feeds).catch(() => ({ outputs: undefined }));
        if (outputs && !firstInvalid(outputs)) {
          refused.push({ backend, reason });
          session.dispose();
          move(next, { from: backend, code: "output_invalid" });
          return;
        }
        // The model itself is to blame, or its input.
        next.dispose();
        engine.stop(target);
      }
    },
    adopt(next, figures) {
      measured = figures;
      const before = session;
      if (next !== before) {
        before.dispose();
        engine.stop(before.target);
      }
      move(next);
    },
    refuse(backend, why) {
      // A number of threads that failed does not speak against the backend.
      if (backend === session.target.backend || refused.some((other) => other.backend === backend)) return;
      refused.push({ backend, reason: reasonOf(why) });
    },
    dispose() {
      disposed = true;
      session.dispose();
    },
  };
  return resident;
}
