package android.content.res;

import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;

/** TEST DOUBLE of Android's class, with its signatures: assets are the files of a folder. */
public final class AssetManager implements AutoCloseable {
    private final Path folder;

    public AssetManager(Path folder) {
        this.folder = folder;
    }

    public InputStream open(String fileName) throws IOException {
        return Files.newInputStream(folder.resolve(fileName));
    }

    @Override
    public void close() {}
}
