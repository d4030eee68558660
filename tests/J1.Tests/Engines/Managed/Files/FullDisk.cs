namespace J1.Tests.Engines.Managed.Files;

/// <summary>A file on a disk that fills up after some bytes.</summary>
internal sealed class FullDisk(string path, long room) : Stream
{
    private readonly FileStream _file = new(path, FileMode.Create);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _file.Length;

    public override long Position { get => _file.Position; set => throw new NotSupportedException(); }

    /// <summary>Creates files normally, but for those of this name.</summary>
    public static Func<string, Stream> For(string name, long room) => path =>
        Path.GetFileName(path).StartsWith(name, StringComparison.Ordinal) ? new FullDisk(path, room) : new FileStream(path, FileMode.Create);

    public override void Write(byte[] buffer, int offset, int count)
    {
        if (_file.Length + count > room)
            throw new IOException("There is not enough space on the disk.");
        _file.Write(buffer, offset, count);
    }

    public override void Flush() => _file.Flush();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        _file.Dispose();
        base.Dispose(disposing);
    }
}

/// <summary>A fact that needs the device on which every write fails for want of space.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class FullDeviceFactAttribute : FactAttribute
{
    public FullDeviceFactAttribute()
    {
        if (!File.Exists("/dev/full"))
            Skip = "needs /dev/full, which this system does not have";
    }
}
