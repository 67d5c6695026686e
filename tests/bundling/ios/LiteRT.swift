// TEST DOUBLE of LiteRT's Swift API. The signatures are those of google-ai-edge/LiteRT,
// litert/swift/Sources at f677904, without what the sample does not use. Nothing here infers:
// outputs are looked up by their inputs in the folder that the environment variable ANSWERS names.
// The variable GPU tells how a GPU behaves.

import Foundation

public enum Accelerator: Int32 {
  case none = 0
  case cpu = 1
  case gpu = 2
  case npu = 4
}

public enum LiteRtError: Error {
  case compilation
}

public final class Environment {
  public init() throws {}
}

public final class Options {
  var accelerators: Set<Accelerator> = []

  public init() throws {}

  public func setHardwareAccelerators(_ accelerators: Set<Accelerator>) throws {
    self.accelerators = accelerators
  }
}

public final class TensorBuffer {
  var content: [UInt8] = []

  public func write<T>(_ data: [T]) throws {
    content = data.withUnsafeBytes { [UInt8]($0) }
  }

  public func read<T>() throws -> [T] {
    content.withUnsafeBytes { Array($0.bindMemory(to: T.self)) }
  }
}

public final class CompiledModel {
  private let onGpu: Bool
  private let gpu = ProcessInfo.processInfo.environment["GPU"] ?? ""
  private let answers = URL(fileURLWithPath: ProcessInfo.processInfo.environment["ANSWERS"] ?? "")

  public init(filePath: String, environment: Environment, options: Options? = nil) throws {
    let accelerators = options?.accelerators ?? [.cpu]
    if accelerators.contains(.npu) { throw LiteRtError.compilation }
    onGpu = accelerators.contains(.gpu)
    _ = try Data(contentsOf: URL(fileURLWithPath: filePath))
  }

  public func createInputBuffers(signatureIndex: Int = 0) throws -> [TensorBuffer] {
    [TensorBuffer()]
  }

  public func createOutputBuffers(signatureIndex: Int = 0) throws -> [TensorBuffer] {
    [TensorBuffer()]
  }

  public func run(
    inputs: [TensorBuffer],
    outputs: [TensorBuffer],
    options: Options? = nil,
    signatureIndex: Int = 0
  ) throws {
    let known = try FileManager.default.contentsOfDirectory(
      at: answers, includingPropertiesForKeys: nil)
    let asked = try known.filter { $0.pathExtension == "input" }.first {
      try [UInt8](Data(contentsOf: $0)) == inputs[0].content
    }!
    let file = asked.deletingPathExtension().appendingPathExtension("output")
    var answer = [UInt8](try Data(contentsOf: file))
    if onGpu {
      // The last byte of a float's fraction, or a step of a quantized value.
      answer[0] = answer[0] &+ (["close": 1, "wrong": 60][gpu] ?? 0)
    }
    outputs[0].content = answer
  }

  public func isFullyAccelerated() throws -> Bool { gpu != "part" }
}
