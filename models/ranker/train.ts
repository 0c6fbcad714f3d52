// Trains the base ranker in a few seconds, and measures the error of the exported graph on held-out films.
import * as tf from "@tensorflow/tfjs";
import { seeded } from "../digits/augment.js";
import { useWasm } from "../digits/wasm.js";
import { type Film, foldOf, isHeldOut, readFilms } from "./data.js";
import { featuresOf } from "./features.js";
import { type Layer, writeGraphModel } from "./graph-def.js";
import { predictWith } from "./measure.js";

// Fixed, so that two trainings are equal.
const SEED = 20261123;
// All of these were chosen on a fifth of the training films, not on the held-out films.
const HIDDEN = [32, 16];
const EPOCHS = 40;
const BATCH = 64;
const RATE = 3e-3;
const DECAY = 1e-2;

export interface RankerMetrics {
  /** Root mean square error and mean absolute error in rating points: of this model, and of predicting the mean for every film. */
  heldOutRmse: number;
  heldOutMae: number;
  meanRmse: number;
  meanMae: number;
  heldOutFilms: number;
  trainingFilms: number;
}

interface Rated {
  features: Float32Array;
  rating: number;
}

const rated = (films: Film[]): Rated[] =>
  films.flatMap((film) => (film.rating === null ? [] : [{ features: featuresOf(film), rating: film.rating }]));

/** Trains and writes the graph model into `folder`. `validate` measures on a fifth of the training films instead of the held-out ones. */
export async function trainRanker(
  folder: string,
  log: (line: string) => void,
  validate = false,
): Promise<{ model: string; metrics: RankerMetrics }> {
  await useWasm();
  const films = readFilms().filter((film) => !isHeldOut(film));
  const isTest = validate ? (film: Film) => foldOf(film, 5) === 0 : isHeldOut;
  const training = rated(films.filter((film) => !isTest(film)));
  const test = rated((validate ? films : readFilms()).filter(isTest));
  const model = writeGraphModel(await learnLayers(training, log), folder);
  const predicted = await predictWith(
    model,
    test.map(({ features }) => features),
  );
  const mean = training.reduce((sum, { rating }) => sum + rating, 0) / training.length;
  const { rmse, mae } = errors(test, (index) => predicted[index] as number);
  const ofMean = errors(test, () => mean);
  const metrics = {
    heldOutRmse: rmse,
    heldOutMae: mae,
    meanRmse: ofMean.rmse,
    meanMae: ofMean.mae,
    heldOutFilms: test.length,
    trainingFilms: training.length,
  };
  log(`${test.length} held-out films: RMSE ${rmse} (the mean: ${ofMean.rmse}), MAE ${mae} (the mean: ${ofMean.mae})`);
  return { model, metrics };
}

function errors(films: Rated[], predict: (index: number) => number): { rmse: number; mae: number } {
  const off = films.map(({ rating }, index) => predict(index) - rating);
  const round = (value: number) => Number(value.toFixed(4));
  return {
    rmse: round(Math.sqrt(off.reduce((sum, error) => sum + error * error, 0) / off.length)),
    mae: round(off.reduce((sum, error) => sum + Math.abs(error), 0) / off.length),
  };
}

async function learnLayers(films: Rated[], log: (line: string) => void): Promise<Layer[]> {
  const scale = scaleOf(films);
  const sizes = [scale.mean.length, ...HIDDEN, 1];
  const weights = sizes.slice(1).map((outputs, index) => {
    const inputs = sizes[index] as number;
    // He et al. 2015.
    return tf.variable(tf.randomNormal([inputs, outputs], 0, Math.sqrt(2 / inputs), "float32", SEED + index));
  }) as tf.Variable<tf.Rank.R2>[];
  const middle = films.reduce((sum, { rating }) => sum + rating, 0) / films.length;
  const biases = sizes
    .slice(1)
    .map((size, index) =>
      tf.variable(tf.fill([size], index === HIDDEN.length ? middle : 0)),
    ) as tf.Variable<tf.Rank.R1>[];
  const forward = (rows: tf.Tensor2D) =>
    weights.reduce<tf.Tensor2D>((layer, matrix, index) => {
      const sum = tf.add(tf.matMul(layer, matrix), biases[index] as tf.Tensor1D) as tf.Tensor2D;
      return index < HIDDEN.length ? tf.relu(sum) : sum;
    }, rows);

  const optimizer = tf.train.adam(RATE);
  const random = seeded(SEED);
  const order = films.slice();
  const steps = Math.ceil(order.length / BATCH);
  for (let epoch = 0; epoch < EPOCHS; epoch += 1) {
    shuffle(order, random);
    let sum = 0;
    for (let step = 0; step < steps; step += 1) {
      // Cosine decay from RATE to 0 (Loshchilov and Hutter 2017), without restarts.
      const done = (epoch * steps + step) / (EPOCHS * steps);
      (optimizer as unknown as { learningRate: number }).learningRate = (RATE / 2) * (1 + Math.cos(Math.PI * done));
      const batch = order.slice(step * BATCH, (step + 1) * BATCH);
      sum += tf.tidy(() => {
        const rows = tf.tensor2d(
          batch.flatMap(({ features }) => scaled(features, scale)),
          [batch.length, sizes[0] as number],
        );
        const truths = tf.tensor2d(
          batch.map(({ rating }) => rating),
          [batch.length, 1],
        );
        const cost = optimizer.minimize(() => {
          const error = tf.mean(tf.squaredDifference(forward(rows), truths));
          const size = weights.reduce<tf.Tensor>((all, matrix) => tf.add(all, tf.sum(tf.square(matrix))), tf.scalar(0));
          return tf.add(error, tf.mul(size, DECAY)) as tf.Scalar;
        }, true);
        return cost?.dataSync()[0] ?? Number.NaN;
      });
    }
    if ((epoch + 1) % 10 === 0) log(`epoch ${epoch + 1}/${EPOCHS}: loss ${(sum / steps).toFixed(4)}`);
  }
  const layers = await Promise.all(
    weights.map(async (matrix, index) => ({
      weights: (await matrix.data()) as Float32Array,
      bias: (await (biases[index] as tf.Tensor).data()) as Float32Array,
    })),
  );
  return [foldScale(layers[0] as Layer, scale), ...layers.slice(1)];
}

interface Scale {
  mean: number[];
  deviation: number[];
}

/** Mean and standard deviation of each feature over the training films. */
function scaleOf(films: Rated[]): Scale {
  const mean = Array.from(
    films[0]?.features ?? [],
    (_, at) => films.reduce((sum, { features }) => sum + (features[at] as number), 0) / films.length,
  );
  const deviation = mean.map((middle, at) => {
    const variance =
      films.reduce((sum, { features }) => sum + ((features[at] as number) - middle) ** 2, 0) / films.length;
    // A lower limit, so that a constant feature is not divided by 0 and a rare one is not scaled up twentyfold.
    return Math.max(Math.sqrt(variance), 0.05);
  });
  return { mean, deviation };
}

const scaled = (features: Float32Array, { mean, deviation }: Scale): number[] =>
  Array.from(features, (value, at) => (value - (mean[at] as number)) / (deviation[at] as number));

/** Folds the scaling into the first layer, so that the graph takes unscaled features. */
function foldScale({ weights, bias }: Layer, { mean, deviation }: Scale): Layer {
  const outputs = bias.length;
  const changed = weights.map((weight, at) => weight / (deviation[Math.floor(at / outputs)] as number));
  const moved = bias.map((start, to) =>
    mean.reduce((sum, middle, from) => sum - middle * (changed[from * outputs + to] as number), start),
  );
  return { weights: changed, bias: moved };
}

function shuffle(items: unknown[], random: () => number): void {
  for (let last = items.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    [items[last], items[other]] = [items[other], items[last]];
  }
}
