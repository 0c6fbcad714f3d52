// How a model of another format becomes one that `pack` reads: the commands that errors print.

const PACK = "npx insitu pack tfjs/model.json";

const CONVERT =
  "tensorflowjs_converter --input_format=tf_saved_model --output_format=tfjs_graph_model saved_model tfjs";

/** For errors of one line. */
export const SAVED_MODEL_WAY = `Save it in Python as a SavedModel (Keras: model.export("saved_model")), run "${CONVERT}", and pack tfjs/model.json.`;

/** A format that `pack` recognises and cannot pack. */
export interface ForeignFormat {
  /** What the file is, as the end of a sentence that begins with its name. */
  what: string;
  /** What to do: lines of text, commands indented by two spaces. */
  way: string[];
}

const fromSavedModel = ["  pip install tensorflowjs", `  ${CONVERT}`, `  ${PACK}`];

const fromOnnx = (file: string) => [
  // Version 2.4 made another backend the default, which writes no SavedModel.
  '  pip install "onnx2tf[tensorflow]>=2.4"',
  `  onnx2tf -i ${file} -o saved_model -osd --tflite_backend tf_converter`,
  ...fromSavedModel,
];

const NO_RUNTIME = "insitu runs TensorFlow.js models only, not yet this format.";

export const FORMATS = {
  onnx: {
    what: "an ONNX model",
    way: [`${NO_RUNTIME} Convert it (works for most networks of fixed input size):`, ...fromOnnx("model.onnx")],
  },
  tflite: {
    what: "a TensorFlow Lite model",
    way: [
      `${NO_RUNTIME} A .tflite file cannot be converted back reliably. Start from the model that it was made from:`,
      '  Keras or SavedModel: model.export("saved_model") in Python, then',
      ...fromSavedModel,
    ],
  },
  savedModel: {
    what: "a TensorFlow SavedModel",
    way: ["Convert the folder that holds saved_model.pb (here: saved_model):", ...fromSavedModel],
  },
  frozenGraph: {
    what: "a TensorFlow graph (GraphDef)",
    way: [
      "Convert a frozen graph, with the names of its outputs:",
      "  pip install tensorflowjs",
      "  tensorflowjs_converter --input_format=tf_frozen_model --output_node_names=NAME graph.pb tfjs",
      `  ${PACK}`,
    ],
  },
  hdf5: {
    what: "an HDF5 file, as Keras 2 saves models (.h5)",
    way: [
      "Convert a model of Keras 2:",
      "  pip install tensorflowjs",
      "  tensorflowjs_converter --input_format=keras model.h5 tfjs",
      `  ${PACK}`,
      'A model of Keras 3, or a file of weights alone: load it in Python, then model.export("saved_model"), then',
      ...fromSavedModel,
    ],
  },
  keras: {
    what: "a Keras 3 model (.keras)",
    way: [
      "Export it as a SavedModel, and convert that:",
      '  python -c \'import keras; keras.models.load_model("model.keras").export("saved_model")\'',
      ...fromSavedModel,
    ],
  },
  kerasJson: {
    what: "a Keras model's architecture without weights (model.to_json())",
    way: ['Save the whole model in Python, with model.export("saved_model"), then', ...fromSavedModel],
  },
  pytorch: {
    what: "a PyTorch file",
    way: [
      "Export it in Python, from the model in memory (weights alone need the class that they belong to):",
      '  torch.onnx.export(model, (torch.zeros(1, 3, 224, 224),), "model.onnx")',
      "then",
      ...fromOnnx("model.onnx"),
    ],
  },
  pickle: {
    what: "a Python pickle, as older PyTorch files and scikit-learn models are",
    way: [
      "Unpickling runs code, so only Python should read it. PyTorch: load it there, export it with",
      '  torch.onnx.export(model, (torch.zeros(1, 3, 224, 224),), "model.onnx")',
      "then",
      ...fromOnnx("model.onnx"),
      "scikit-learn: not yet. skl2onnx writes ONNX, but most of its operators have no TensorFlow.js counterpart.",
    ],
  },
  safetensors: {
    what: "a safetensors file: weights without the model that they belong to",
    way: [
      "Load it in Python with its model class. For a folder of Hugging Face:",
      '  pip install "optimum-onnx[onnxruntime]"',
      "  optimum-cli export onnx --model FOLDER onnx",
      ...fromOnnx("onnx/model.onnx"),
      "Large language models: not yet. insitu has no text generation.",
    ],
  },
  gguf: {
    what: "a GGUF file, a language model for llama.cpp",
    way: ["insitu cannot run it: it has no text generation. Use wllama or WebLLM in a page."],
  },
  coreml: {
    what: "a Core ML model",
    way: [`${NO_RUNTIME} Start from the model that it was made from: SavedModel, Keras, PyTorch or ONNX.`],
  },
  tfjsZip: {
    what: "a zip archive with a TensorFlow.js model, as Teachable Machine exports it",
    way: [
      "Unpack it, and pack the folder; metadata.json gives the labels:",
      "  unzip FILE -d my-model",
      "  npx insitu pack my-model",
    ],
  },
  zip: {
    what: "a zip archive without a model.json",
    way: ["Unpack it, and pass the model in it."],
  },
  gzip: {
    what: "a gzip archive, as TensorFlow Hub serves models",
    way: [
      "Unpack it, and pass the folder:",
      "  mkdir my-model && tar -xzf FILE -C my-model",
      "  npx insitu pack my-model",
    ],
  },
} as const satisfies Record<string, ForeignFormat>;
