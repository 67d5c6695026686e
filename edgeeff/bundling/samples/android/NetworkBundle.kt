package edgeeff.sample

import android.content.res.AssetManager
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.math.round
import org.json.JSONArray
import org.json.JSONObject

/** Real values of raw ones: scale * (raw - zero point); without a scale they are real already. */
class Tensor(json: JSONObject) {
    val dtype: String = json.getString("dtype")
    val size: Int = json.getJSONArray("shape").ints().fold(1) { all, one -> all * one }
    val scale: Float? = if (json.isNull("scale")) null else json.getDouble("scale").toFloat()
    val zeroPoint: Int = if (json.isNull("zero_point")) 0 else json.getInt("zero_point")
    val isFloat = dtype == "float32"

    init {
        require(dtype in listOf("float32", "uint8", "int8")) { "LiteRT for Kotlin takes no $dtype" }
    }

    /** The whole number that a raw byte stands for. */
    fun number(raw: Byte): Int = if (dtype == "uint8") raw.toInt() and 0xFF else raw.toInt()
}

/** A golden vector: a picture's raw input, and the raw output that every device should give. */
class Vector(val picture: String, val input: ByteArray, val output: ByteArray)

/** One file of the network. */
class BundledModel(
    private val assets: AssetManager,
    private val folder: String,
    json: JSONObject,
) {
    val file: String = json.getString("file")
    val asset = "$folder/$file"
    private val takesBytes = json.getBoolean("takes_bytes")
    val integerOnly = json.getBoolean("integer_only")
    val input = Tensor(json.getJSONObject("input"))
    val output = Tensor(json.getJSONObject("output"))
    val preprocessing =
        json.getJSONObject("preprocessing").run {
            Preprocessing(
                getInt("resolution"),
                getDouble("crop").toFloat(),
                getString("interpolation"),
            )
        }
    private val mean = json.getJSONObject("normalization").getJSONArray("mean").floats()
    private val std = json.getJSONObject("normalization").getJSONArray("std").floats()
    private val places = json.getJSONArray("vectors").objects()

    /** The golden vectors, read one after the other. */
    fun vectors(): Sequence<Vector> =
        places.asSequence().map {
            Vector(
                it.getString("picture"),
                assets.bytes("$folder/${it.getString("input")}"),
                assets.bytes("$folder/${it.getString("output")}"),
            )
        }

    /** RGB bytes as the input takes them: as they are, normalised, or quantized. */
    fun modelInput(rgb: ByteArray): ByteArray {
        fun real(place: Int) =
            ((rgb[place].toInt() and 0xFF) - mean[place % 3]) / std[place % 3]
        val scale = input.scale
        return when {
            takesBytes -> rgb
            input.isFloat -> FloatArray(rgb.size, ::real).bytes()
            scale != null && input.dtype == "uint8" ->
                ByteArray(rgb.size) {
                    byte(round(real(it).toDouble() / scale) + input.zeroPoint)
                }
            else -> throw UnsupportedOperationException("an input of int8: convert to uint8")
        }
    }

    /** The real values of a raw output. */
    fun scores(raw: ByteArray): FloatArray {
        if (output.isFloat) return raw.floats()
        val scale = output.scale ?: 1f
        return FloatArray(raw.size) { scale * (output.number(raw[it]) - output.zeroPoint) }
    }
}

/** A bundle of edgeeff: its whole folder, copied to `src/main/assets/FOLDER` of the app. */
class NetworkBundle(assets: AssetManager, folder: String) {
    private val json = JSONObject(String(assets.bytes("$folder/bundle.json"), Charsets.UTF_8))

    /** In the order of the bundle; its README says which is for which chip. */
    val models = json.getJSONArray("models").objects().map { BundledModel(assets, folder, it) }

    /** Class names by number; `null` if they are not known. */
    val labels: List<String>? =
        if (json.isNull("labels")) {
            null
        } else {
            val text = String(assets.bytes("$folder/${json.getString("labels")}"), Charsets.UTF_8)
            text.removeSuffix("\n").split("\n")
        }
}

internal fun FloatArray.bytes(): ByteArray {
    val buffer = ByteBuffer.allocate(4 * size).order(ByteOrder.LITTLE_ENDIAN)
    forEach { buffer.putFloat(it) }
    return buffer.array()
}

internal fun ByteArray.floats(): FloatArray {
    val buffer = ByteBuffer.wrap(this).order(ByteOrder.LITTLE_ENDIAN)
    return FloatArray(size / 4) { buffer.getFloat() }
}

private fun AssetManager.bytes(path: String): ByteArray = open(path).use { it.readBytes() }

private fun JSONArray.objects() = List(length()) { getJSONObject(it) }

private fun JSONArray.ints() = List(length()) { getInt(it) }

private fun JSONArray.floats() = FloatArray(length()) { getDouble(it).toFloat() }
