// The command `reference`: makes the reference profile of a package out of its training inputs.
import type { Command } from "commander";
import { addProfile, type ProfileOptions } from "./add-profile.js";
import { manifestText } from "./inspect.js";

const HELP = `
The inputs are a folder of JPEG, PNG or input.json files (its folders too), a .csv file with a header, or a .json file with a list of inputs in the
form of input.json (see "insitu pack --help"). The model runs on cpu over them, for its confidences and classes. Only quantiles and
shares are written, never an input. A page then tells where its inputs lie among them: see docs/guides/feedback.md.

Examples:
  insitu reference public/models/flowers training/images --sign key.json --release 2
  insitu reference public/models/prices training.csv --columns area,rooms,year --limit 5000`;

interface CommandOptions extends Omit<ProfileOptions, "columns"> {
  columns?: string;
}

const MAX_NAMED = 20;

/** `countOf` and `releaseOf` read the numbers of options. */
export function addReference(
  program: Command,
  countOf: (value: string) => number,
  releaseOf: (value: string) => number,
  run: <T>(command: Command, options: object, work: () => Promise<T>) => Promise<T>,
): void {
  const command = program
    .command("reference")
    .description("write into a package what its inputs are like, so that pages notice when theirs are not")
    .argument("<package>", "the package's folder")
    .argument("<inputs>", "a folder, a .csv or a .json file of training inputs")
    .option(
      "--columns <names>",
      "columns of the table in the order of the model's input, joined by commas (default: all)",
    )
    .option("--limit <n>", "the most inputs that are read, evenly spaced (default: 1000)", countOf)
    .option("--release <n>", "set the release number, so that pages fetch the changed package", releaseOf)
    .option("--sign <key.json>", "sign with a private key from keygen")
    .addHelpText("after", HELP);
  command.action(async (folder: string, inputs: string, { columns, ...options }: CommandOptions) => {
    const onProgress = (line: string) => void process.stderr.write(`${line}\n`);
    const given = { ...options, columns: columns?.split(",").map((name) => name.trim()), onProgress };
    const { manifest, digest, profile, skipped, dropped } = await run(command, options, () =>
      addProfile(folder, inputs, given),
    );
    const more = skipped.length > MAX_NAMED ? `\n… and ${skipped.length - MAX_NAMED} more` : "";
    if (skipped.length > 0)
      process.stderr.write(`skipped ${skipped.length}:\n${skipped.slice(0, MAX_NAMED).join("\n")}${more}\n`);
    const removed =
      dropped.length > 0 ? `\nThe manifest changed, so the signatures of ${dropped.join(", ")} were removed.` : "";
    process.stdout.write(
      `${manifestText(manifest, digest)}\n${folder} has a profile of ${profile.samples} inputs: ${profile.features.map(({ name }) => name).join(", ")}.${removed}\n`,
    );
  });
}
