import android.content.res.AssetManager
import android.graphics.ImageDecoder
import com.google.ai.edge.litert.Accelerator
import edgeeff.sample.Classifier
import edgeeff.sample.NetworkBundle
import edgeeff.sample.selfCheck
import java.io.File
import java.nio.file.Paths
import org.json.JSONArray
import org.json.JSONObject

/** An app around the sample: prints what it finds as JSON. Words: assets, folder, pictures. */
fun main(words: Array<String>) {
    val assets = AssetManager(Paths.get(words[0]))
    val bundle = NetworkBundle(assets, words[1])
    val found = JSONArray()
    for (model in bundle.models) {
        val answers = JSONObject()
        Classifier(assets, bundle, model).use { classifier ->
            for (path in words.drop(2)) {
                val source = ImageDecoder.createSource(File(path))
                val classes = classifier.classify(source).map { it.name }
                answers.put(File(path).name, JSONArray(classes))
            }
        }
        val checks = JSONObject()
        for (accelerator in listOf(Accelerator.CPU, Accelerator.GPU, Accelerator.NPU)) {
            val checked = selfCheck(assets, bundle, model, accelerator)
            checks.put(
                accelerator.name,
                JSONObject()
                    .put("good", checked.good)
                    .put("failed", checked.failed)
                    .put("suspect", checked.suspect)
                    .put("differing", checked.compared.sumOf { it.differing }),
            )
        }
        found.put(JSONObject().put("answers", answers).put("checks", checks))
    }
    println(found)
}
