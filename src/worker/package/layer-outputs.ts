// Names the outputs of a layers model, of which several may come from one layer.

/**
 * One name for each output, given the names of the layers that compute them and of all layers. An output has the name of its layer;
 * further outputs of the same layer (the states of an LSTM, a layer that is used twice) are `lstm_1`, `lstm_2`, …
 */
export function layerOutputNames(of: readonly string[], layers: readonly string[]): string[] {
  const taken = new Set(layers);
  return of.map((layer, index) => {
    if (of.indexOf(layer) === index) return layer;
    let number = 1;
    while (taken.has(`${layer}_${number}`)) number += 1;
    taken.add(`${layer}_${number}`);
    return `${layer}_${number}`;
  });
}
