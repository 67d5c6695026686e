import Foundation

/// Real values of raw ones: scale * (raw - zero point); without a scale they are real already.
public struct Tensor: Decodable {
  public let dtype: String
  public let shape: [Int]
  public let scale: Float?
  public let zeroPoint: Int?

  enum CodingKeys: String, CodingKey {
    case dtype, shape, scale
    case zeroPoint = "zero_point"
  }

  /// How many bytes it takes.
  var bytes: Int { shape.reduce(isFloat ? 4 : 1, *) }
  var isFloat: Bool { dtype == "float32" }

  /// The whole number that a raw byte stands for.
  func number(_ raw: UInt8) -> Int { dtype == "uint8" ? Int(raw) : Int(Int8(bitPattern: raw)) }
}

/// Files of a golden vector: a picture's raw input, and the raw output any device should give.
public struct Vector: Decodable {
  public let picture: String
  public let input: String
  public let output: String
}

struct Normalization: Decodable {
  let mean: [Float]
  let std: [Float]
}

public enum BundleError: Error {
  case unsupported(String)
}

/// One file of the network.
public struct BundledModel: Decodable {
  public let file: String
  public let integerOnly: Bool
  let takesBytes: Bool
  public let input: Tensor
  public let output: Tensor
  public let preprocessing: Preprocessing
  let normalization: Normalization
  public let vectors: [Vector]

  enum CodingKeys: String, CodingKey {
    case file, input, output, preprocessing, normalization, vectors
    case integerOnly = "integer_only"
    case takesBytes = "takes_bytes"
  }

  /// RGB bytes as the input takes them: as they are, normalised, or quantized.
  public func modelInput(_ rgb: [UInt8]) throws -> [UInt8] {
    if takesBytes { return rgb }
    let real = { (place: Int) -> Float in
      (Float(rgb[place]) - normalization.mean[place % 3]) / normalization.std[place % 3]
    }
    if input.isFloat {
      return rawBytes(rgb.indices.map(real))
    }
    guard input.dtype == "uint8", let scale = input.scale else {
      throw BundleError.unsupported("an input of \(input.dtype): convert to uint8")
    }
    let zeroPoint = Double(input.zeroPoint ?? 0)
    return rgb.indices.map {
      byte((Double(real($0)) / Double(scale)).rounded(.toNearestOrEven) + zeroPoint)
    }
  }

  /// The real values of a raw output.
  public func scores(_ raw: [UInt8]) throws -> [Float] {
    if output.isFloat { return floats(raw) }
    guard ["uint8", "int8"].contains(output.dtype) else {
      throw BundleError.unsupported("an output of \(output.dtype)")
    }
    let (scale, zeroPoint) = (output.scale ?? 1, output.zeroPoint ?? 0)
    return raw.map { scale * Float(output.number($0) - zeroPoint) }
  }
}

/// A bundle of edgeeff: its whole folder, in the app as a folder reference.
public struct NetworkBundle {
  public let folder: URL
  /// In the order of the bundle; its README says which is for which chip.
  public let models: [BundledModel]
  /// Class names by number; `nil` if they are not known.
  public let labels: [String]?

  private struct Document: Decodable {
    let models: [BundledModel]
    let labels: String?
  }

  /// Reads a bundle, such as `Bundle.main.url(forResource: "network", withExtension: nil)`.
  public init(folder: URL) throws {
    self.folder = folder
    let content = try Data(contentsOf: folder.appendingPathComponent("bundle.json"))
    let document = try JSONDecoder().decode(Document.self, from: content)
    models = document.models
    labels = try document.labels.map { name in
      var text = try String(contentsOf: folder.appendingPathComponent(name), encoding: .utf8)
      if text.hasSuffix("\n") { text.removeLast() }
      return text.components(separatedBy: "\n")
    }
  }

  /// The content of a file of the bundle.
  public func bytes(_ file: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: folder.appendingPathComponent(file)))
  }
}

/// The bytes of floats, as the tensor holds them.
func rawBytes(_ values: [Float]) -> [UInt8] {
  values.withUnsafeBytes { [UInt8]($0) }
}

/// The floats of a tensor's bytes.
func floats(_ raw: [UInt8]) -> [Float] {
  raw.withUnsafeBytes { bytes in
    (0..<raw.count / 4).map { bytes.loadUnaligned(fromByteOffset: 4 * $0, as: Float.self) }
  }
}
