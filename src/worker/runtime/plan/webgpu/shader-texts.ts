// Keeps the text of each shader that tfjs compiles, which a pipeline does not give back.

const texts = new WeakMap<GPUShaderModule | GPUComputePipeline, string>();

/** Undefined for a pipeline that was made before `keepShaders`, or elsewhere. */
export const shaderText = (pipeline: GPUComputePipeline): string | undefined => texts.get(pipeline);

/** To be called before tfjs uses the device. */
export function keepShaders(device: GPUDevice): void {
  const createShaderModule = device.createShaderModule.bind(device);
  const createComputePipeline = device.createComputePipeline.bind(device);
  const createComputePipelineAsync = device.createComputePipelineAsync.bind(device);
  const keep = (pipeline: GPUComputePipeline, { compute }: GPUComputePipelineDescriptor) => {
    const text = texts.get(compute.module);
    if (text !== undefined) texts.set(pipeline, text);
    return pipeline;
  };
  device.createShaderModule = (descriptor) => {
    const module = createShaderModule(descriptor);
    texts.set(module, descriptor.code);
    return module;
  };
  device.createComputePipeline = (descriptor) => keep(createComputePipeline(descriptor), descriptor);
  device.createComputePipelineAsync = async (descriptor) =>
    keep(await createComputePipelineAsync(descriptor), descriptor);
}
