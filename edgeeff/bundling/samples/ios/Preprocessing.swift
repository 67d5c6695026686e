/// How the network's pictures were prepared: `preprocessing` of bundle.json.
public struct Preprocessing: Decodable {
  public let resolution: Int
  public let crop: Float
  public let interpolation: String
}

/// A picture in memory: RGBA, row by row, a byte each.
public struct Pixels {
  public let width: Int
  public let height: Int
  public let rgba: [UInt8]

  public init(width: Int, height: Int, rgba: [UInt8]) {
    precondition(rgba.count == 4 * width * height)
    self.width = width
    self.height = height
    self.rgba = rgba
  }

  /// The picture as its EXIF orientation, 1 to 8, says that it is to be seen.
  public func upright(orientation: Int) -> Pixels {
    guard (2...8).contains(orientation) else { return self }
    let turned = orientation > 4
    let (across, down) = turned ? (height, width) : (width, height)
    var turnedPixels = [UInt8](repeating: 0, count: rgba.count)
    for y in 0..<down {
      for x in 0..<across {
        let (right, bottom) = (across - 1 - x, down - 1 - y)
        let (column, row): (Int, Int)
        switch orientation {
        case 2: (column, row) = (right, y)
        case 3: (column, row) = (right, bottom)
        case 4: (column, row) = (x, bottom)
        case 5: (column, row) = (y, x)
        case 6: (column, row) = (y, right)
        case 7: (column, row) = (bottom, right)
        default: (column, row) = (bottom, x)
        }
        let (from, to) = (4 * (row * width + column), 4 * (y * across + x))
        for channel in 0..<4 { turnedPixels[to + channel] = rgba[from + channel] }
      }
    }
    return Pixels(width: across, height: down, rgba: turnedPixels)
  }
}

extension Preprocessing {
  /// What the network sees of an upright picture: the middle square, resized to the byte as it
  /// was trained. RGB, row by row.
  public func square(of picture: Pixels) -> [UInt8] {
    let side = max(1, Int(crop * Float(min(picture.width, picture.height))))
    let left = (picture.width - side + 1) / 2
    let top = (picture.height - side + 1) / 2
    let taps = Taps(length: side, size: resolution, interpolation: interpolation)
    var rows: [Int: [Float]] = [:]
    var bytes: [UInt8] = []
    bytes.reserveCapacity(3 * resolution * resolution)
    for y in 0..<resolution {
      let needed = taps.index[y * taps.count..<(y + 1) * taps.count]
      rows = rows.filter { needed.contains($0.key) }
      var line = [Float](repeating: 0, count: 3 * resolution)
      for (tap, row) in needed.enumerated() {
        let start = (top + row) * picture.width + left
        let across = rows[row] ?? narrow(picture.rgba, from: start, taps)
        rows[row] = across
        let weight = taps.weight[y * taps.count + tap]
        for place in line.indices { line[place] += across[place] * weight }
      }
      bytes += line.map { byte(Double($0)) }
    }
    return bytes
  }

  /// One row, resized across.
  private func narrow(_ rgba: [UInt8], from start: Int, _ taps: Taps) -> [Float] {
    var row = [Float](repeating: 0, count: 3 * resolution)
    for x in 0..<resolution {
      for tap in x * taps.count..<(x + 1) * taps.count {
        let pixel = 4 * (start + taps.index[tap])
        for channel in 0..<3 {
          row[3 * x + channel] += Float(rgba[pixel + channel]) * taps.weight[tap]
        }
      }
    }
    return row
  }
}

/// Which pixels make each new one, with which weights: TensorFlow's first resize kernels.
private struct Taps {
  let count: Int
  var index: [Int] = []
  var weight: [Float] = []

  init(length: Int, size: Int, interpolation: String) {
    count = interpolation == "bilinear" ? 2 : 4
    let scale = Float(Double(length) / Double(size))
    for place in 0..<size {
      let position = Float(place) * scale
      let before = position.rounded(.down)
      let offset = position - before
      weight += count == 2 ? [1 - offset, offset] : cubic(offset)
      for tap in 0..<count {
        let wanted = Int(before) + 1 - count / 2 + tap
        index.append(min(length - 1, max(0, wanted)))
      }
    }
  }
}

/// Keys' kernel, a = -0.75, read off a table of 1024 steps.
private func cubic(_ offset: Float) -> [Float] {
  let a: Float = -0.75
  let t = (offset * 1024).rounded(.toNearestOrEven) / 1024
  func near(_ x: Float) -> Float {
    let inner = (a + 2) * x - (a + 3)
    return inner * x * x + 1
  }
  func far(_ x: Float) -> Float {
    let d = x + 1
    let inner = (a * d - 5 * a) * d + 8 * a
    return inner * d - 4 * a
  }
  return [far(t), near(t), near(1 - t), far(1 - t)]
}

/// The nearest byte, halves to the even one.
func byte(_ value: Double) -> UInt8 {
  UInt8(min(255, max(0, value.rounded(.toNearestOrEven))))
}
