import Foundation
import LiteRT

/// A class with its score.
public struct Answer {
  public let number: Int
  public let name: String
  public let score: Float
}

/// A model of a bundle on one accelerator. Use it from one thread at a time.
///
/// Needs LiteRT's Swift package (`LiteRT` of github.com/google-ai-edge/LiteRT), and iOS 15.
public final class Classifier {
  private let bundle: NetworkBundle
  private let model: BundledModel
  private let compiled: CompiledModel
  private let inputs: [TensorBuffer]
  private let outputs: [TensorBuffer]

  public init(
    bundle: NetworkBundle, model: BundledModel, accelerator: Accelerator = .cpu
  ) throws {
    // Alone, so that a model which the accelerator does not take whole is an error here and not
    // a slow app.
    let options = try Options()
    try options.setHardwareAccelerators([accelerator])
    self.bundle = bundle
    self.model = model
    compiled = try CompiledModel(
      filePath: bundle.folder.appendingPathComponent(model.file).path,
      environment: LiteRT.Environment(),
      options: options
    )
    inputs = try compiled.createInputBuffers()
    outputs = try compiled.createOutputBuffers()
  }

  /// Whether the accelerator took every operator; if not, the CPU did the rest, or all.
  public func isFullyAccelerated() throws -> Bool {
    try compiled.isFullyAccelerated()
  }

  /// The likeliest classes of an upright picture; `pixels(of:)` reads one from a file.
  public func classify(_ picture: Pixels, count: Int = 5) throws -> [Answer] {
    let rgb = model.preprocessing.square(of: picture)
    let scores = try model.scores(run(model.modelInput(rgb)))
    let order = scores.indices.sorted { (scores[$1], $0) < (scores[$0], $1) }
    return order.prefix(count).map {
      Answer(number: $0, name: bundle.labels?[$0] ?? "\($0)", score: scores[$0])
    }
  }

  /// The raw output for a raw input: the bytes of the tensors, whatever their type.
  public func run(_ input: [UInt8]) throws -> [UInt8] {
    try inputs[0].write(input)
    try compiled.run(inputs: inputs, outputs: outputs)
    let raw: [UInt8] = try outputs[0].read()
    return Array(raw.prefix(model.output.bytes))
  }
}
