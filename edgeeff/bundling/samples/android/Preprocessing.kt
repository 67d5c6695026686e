package edgeeff.sample

import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min
import kotlin.math.round

/** How the network's pictures were prepared: `preprocessing` of bundle.json. */
class Preprocessing(val resolution: Int, val crop: Float, val interpolation: String)

/** A square of a picture, in pixels. */
class Square(val left: Int, val top: Int, val side: Int)

/** The middle square that the network saw of a picture. */
fun Preprocessing.square(width: Int, height: Int): Square {
    val side = max(1, (crop * min(width, height)).toInt())
    return Square((width - side + 1) / 2, (height - side + 1) / 2, side)
}

/** Pixels, `0xAARRGGBB`, as they look on white: the network saw no transparency. */
fun onWhite(pixels: IntArray): IntArray =
    IntArray(pixels.size) { place ->
        val pixel = pixels[place]
        val alpha = pixel ushr 24
        fun laid(shift: Int) =
            ((pixel shr shift and 0xFF) * alpha + 0xFF * (0xFF - alpha) + 0x7F) / 0xFF shl shift
        if (alpha == 0xFF) pixel else (0xFF shl 24) or laid(16) or laid(8) or laid(0)
    }

/**
 * Resizes a square to the network's size, to the byte as the network was trained.
 *
 * @param pixels of the square, row by row, as `0xAARRGGBB`.
 * @return RGB, three bytes for each pixel.
 */
fun Preprocessing.resized(pixels: IntArray, side: Int): ByteArray {
    val taps = Taps(side, resolution, interpolation)
    val rows = HashMap<Int, FloatArray>()
    val bytes = ByteArray(3 * resolution * resolution)
    val line = FloatArray(3 * resolution)
    for (y in 0 until resolution) {
        val needed = IntArray(taps.count) { taps.index[y * taps.count + it] }
        rows.keys.retainAll(needed.toSet())
        line.fill(0f)
        for (tap in needed.indices) {
            val row = rows.getOrPut(needed[tap]) { narrow(pixels, needed[tap] * side, taps) }
            val weight = taps.weight[y * taps.count + tap]
            for (place in line.indices) line[place] += row[place] * weight
        }
        for (place in line.indices) bytes[y * line.size + place] = byte(line[place].toDouble())
    }
    return bytes
}

/** One row, resized across. */
private fun narrow(pixels: IntArray, start: Int, taps: Taps): FloatArray {
    val row = FloatArray(taps.weight.size / taps.count * 3)
    for (x in 0 until row.size / 3) {
        for (tap in x * taps.count until (x + 1) * taps.count) {
            val pixel = pixels[start + taps.index[tap]]
            val weight = taps.weight[tap]
            row[3 * x] += (pixel shr 16 and 0xFF) * weight
            row[3 * x + 1] += (pixel shr 8 and 0xFF) * weight
            row[3 * x + 2] += (pixel and 0xFF) * weight
        }
    }
    return row
}

/** Which pixels make each new one, with which weights: TensorFlow's first resize kernels. */
private class Taps(length: Int, size: Int, interpolation: String) {
    val count = if (interpolation == "bilinear") 2 else 4
    val index = IntArray(size * count)
    val weight = FloatArray(size * count)

    init {
        val scale = (length.toDouble() / size).toFloat()
        for (place in 0 until size) {
            val position = place * scale
            val before = floor(position)
            val offset = position - before
            val weights = if (count == 2) floatArrayOf(1 - offset, offset) else cubic(offset)
            for (tap in 0 until count) {
                val wanted = before.toInt() + 1 - count / 2 + tap
                index[place * count + tap] = wanted.coerceIn(0, length - 1)
                weight[place * count + tap] = weights[tap]
            }
        }
    }
}

/** Keys' kernel, a = -0.75, read off a table of 1024 steps. */
private fun cubic(offset: Float): FloatArray {
    val a = -0.75f
    val t = round((offset * 1024).toDouble()).toFloat() / 1024
    fun near(x: Float) = ((a + 2) * x - (a + 3)) * x * x + 1
    fun far(x: Float) = ((a * (x + 1) - 5 * a) * (x + 1) + 8 * a) * (x + 1) - 4 * a
    return floatArrayOf(far(t), near(t), near(1 - t), far(1 - t))
}

/** The nearest byte, halves to the even one. */
internal fun byte(value: Double): Byte = round(value).coerceIn(0.0, 255.0).toInt().toByte()
