namespace Microsoft.ML.Data;

/// <summary>A row's identity: the same row of the same data has the same one, whatever the order it is read in.</summary>
public readonly struct DataViewRowId : IComparable<DataViewRowId>, IEquatable<DataViewRowId>
{
    public readonly ulong Low;
    public readonly ulong High;

    public DataViewRowId(ulong low, ulong high)
    {
        Low = low;
        High = high;
    }

    public bool Equals(DataViewRowId other) => Low == other.Low && High == other.High;
    public override bool Equals(object obj) => obj is DataViewRowId other && Equals(other);
    public override int GetHashCode() => HashCode.Combine(Low, High);
    public int CompareTo(DataViewRowId other) => High != other.High ? High.CompareTo(other.High) : Low.CompareTo(other.Low);
    public override string ToString() => $"{High:x16}{Low:x16}";

    public DataViewRowId Fork() => new(Mix(Low + Odd), Mix(High ^ Low));
    public DataViewRowId Next() => new(Mix(Low ^ Odd), Mix(High + Low));
    public DataViewRowId Combine(DataViewRowId other) => new(Mix(Low + Mix(other.Low)), Mix(High + Mix(other.High ^ Odd)));

    public static bool operator ==(DataViewRowId first, DataViewRowId second) => first.Equals(second);
    public static bool operator !=(DataViewRowId first, DataViewRowId second) => !first.Equals(second);

    private const ulong Odd = 0x9E3779B97F4A7C15;

    internal static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
